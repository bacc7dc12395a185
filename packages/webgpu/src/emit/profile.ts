/**
 * The adapter's profile: the facts that decide which WGSL is fast, or allowed. Plans depend on nothing else.
 */

/** Facts about an adapter. */
export interface AdapterProfile {
  /** The adapter's own name: `nvidia ampere`, `google swiftshader`. */
  readonly name: string;
  /**
   * Whether it computes on the CPU: lanes are a vector register, barriers are slow, and no memory is faster
   * than the caches.
   */
  readonly isSoftware: boolean;
  /**
   * The smallest and the largest subgroup; null where shaders may not use subgroups. WGSL requires the
   * directive `enable subgroups;`, which naga, the compiler of Firefox and Deno, does not know.
   */
  readonly subgroups: { readonly least: number; readonly most: number; readonly directive: boolean } | null;
  /** Storage buffers that one shader may bind. */
  readonly maxBindings: number;
  /** Invocations per workgroup. */
  readonly maxInvocations: number;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
}
