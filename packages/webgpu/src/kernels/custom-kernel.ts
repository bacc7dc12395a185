/**
 * Kernels that somebody else writes: the WGSL of a composite, with its arrays declared by name. `x0`, `x1`, …
 * are the inputs and `y0`, `y1`, … the outputs, packed in row-major order, one 32-bit word per element (bool
 * as u32 0 and 1, half precision as f32).
 */
import { checkCount } from '@firsthand/linalg';
import type { CustomKernel } from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import type { Attrs, Composite, Spec } from '@firsthand/graph';
import type { AdapterProfile } from '../emit/profile.ts';
import { elementType } from '../scalar/operations.ts';
import type { Binding, OperandLayout, Shader } from '../emit/shader.ts';

/** What a kernel is written for. */
export interface KernelSpec<A extends Attrs = Attrs> {
  readonly attrs: A;
  readonly inputs: readonly Spec[];
  readonly outputs: readonly Spec[];
  readonly profile: AdapterProfile;
}

/** A kernel as WGSL. */
export interface KernelSource {
  /**
   * Functions with the entry point `main`, a compute shader of any workgroup size; the arrays are declared
   * already, with runtime size. Workgroup numbers beyond 65,535 continue in y:
   * `workgroup_id.x + workgroup_id.y * num_workgroups.x`.
   */
  readonly wgsl: string;
  /** How many workgroups run. */
  readonly workgroups: number;
}

/** A composite with WGSL of its own. */
export interface KernelDefinition {
  readonly composite: Composite;
  readonly build: (spec: KernelSpec) => KernelSource;
}

/**
 * WGSL for an operation that `defineOp` of autograd made, or for a composite of the graph, to be passed to
 * `createWebGPU({ kernels })`. Other devices compute its body, and so does this one where a test asks for
 * both.
 * @param build from shapes, dtypes and attributes to WGSL: a pure function, called once for each program that
 *   contains the composite
 */
export function defineKernel<A extends Attrs>(
  operation: Composite<A> | { readonly composite: Composite<A> },
  build: (spec: KernelSpec<A>) => KernelSource,
): KernelDefinition {
  checkCount('defineKernel', arguments.length, 2, 'defineKernel(operation, build)');
  const composite = 'composite' in operation ? operation.composite : operation;
  return { composite: composite, build: build as unknown as KernelDefinition['build'] };
}

/** The shader of a composite's own kernel. @throws DeviceError if it asks for no workgroups */
export function customShaders(
  kernel: CustomKernel,
  { access }: OperandLayout,
  profile: AdapterProfile,
  definitions: ReadonlyMap<Composite, KernelDefinition>,
): readonly Shader[] {
  const { operands, composite, attrs, inputs, outputs } = kernel;
  const specOf = ({
    operand,
    shape,
  }: {
    readonly operand: number;
    readonly shape: readonly number[];
  }): Spec => ({
    shape,
    dtype: operands[operand]!.dtype,
  });
  const { wgsl, workgroups } = definitions
    .get(composite)!
    .build({ attrs, inputs: inputs.map(specOf), outputs: outputs.map(specOf), profile });
  if (!(Number.isInteger(workgroups) && workgroups > 0)) {
    const expected = 'a whole number above 0';
    const problem = `the kernel of ${composite.name} asks for ${workgroups} workgroups`;
    throw new DeviceError({ operation: 'webgpu', problem, expected, remedy: `it must be ${expected}` });
  }
  const bindings: Binding[] = [];
  const declared = new Map<number, string>();
  let text = wgsl;
  const lines: string[] = [];
  const declare = (operand: number, name: string): void => {
    const known = declared.get(operand);
    // What is passed twice is bound once.
    if (known !== undefined) {
      text = text.replace(new RegExp(`\\b${name}\\b`, 'g'), known);
      return;
    }
    declared.set(operand, name);
    lines.push(
      `@group(0) @binding(${bindings.length}) var<storage, ${access[operand]!}> ${name}: array<${elementType(operands[operand]!.dtype)}>;`,
    );
    bindings.push({ kind: 'operand', operand, access: access[operand]! });
  };
  inputs.forEach(({ operand }, place) => declare(operand, `x${place}`));
  outputs.forEach(({ operand }, place) => declare(operand, `y${place}`));
  return [{ wgsl: `${lines.join('\n')}\n\n${text}`, bindings, workgroups }];
}
