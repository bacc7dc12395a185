/** What kernels are chosen by: the facts about an adapter that change which WGSL is fast, or allowed. */

/** Facts about an adapter. */
export interface AdapterProfile {
  /** What it calls itself: `nvidia ampere`, `google swiftshader`. */
  readonly name: string;
  /**
   * Whether it computes on the CPU: lanes are a vector register, barriers are slow, and there is no memory
   * that is faster than the caches.
   */
  readonly isSoftware: boolean;
  /**
   * Invocations that run in step, at the least and at the most; null where shaders may not use subgroups.
   * WGSL asks for the directive `enable subgroups;`, which naga, the compiler of Firefox and Deno, does not
   * know.
   */
  readonly subgroups: { readonly least: number; readonly most: number; readonly directive: boolean } | null;
  /** Storage buffers that one shader may bind. */
  readonly maxBindings: number;
  /** Invocations per workgroup. */
  readonly maxInvocations: number;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
}
