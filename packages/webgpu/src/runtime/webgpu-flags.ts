/** Bit flags of the WebGPU API: browsers have them as globals, Node does not. */

/** GPUBufferUsage. */
export const BUFFER_USAGE = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  storage: 0x80,
  queryResolve: 0x200,
} as const;

/** GPUMapMode.READ */
export const MAP_READ = 1;
