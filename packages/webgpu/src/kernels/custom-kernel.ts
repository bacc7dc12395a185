/**
 * Custom kernels: a user's WGSL for a composite, with its arrays declared by name. `x0`, `x1`, … are the
 * inputs and `y0`, `y1`, … the outputs, contiguous in row-major order, one 32-bit word per element (bool as
 * u32 0 and 1, float16 as f32).
 */
import { checkCount } from '@firsthand/linalg';
import type { CustomKernel, WholeArray } from '@firsthand/compiler';
import { DeviceError } from '@firsthand/graph';
import type { Attrs, Composite, Spec } from '@firsthand/graph';
import type { AdapterProfile } from '../emit/profile.ts';
import { elementType } from '../scalar/operations.ts';
import type { Binding, OperandLayout, Shader, ShaderPlan } from '../emit/shader.ts';

/** What a kernel is built from. */
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

/** A composite and its custom kernel. */
export interface KernelDefinition {
  readonly composite: Composite;
  readonly build: (spec: KernelSpec) => KernelSource;
}

/** Custom kernels by composite. */
export type Definitions = ReadonlyMap<Composite, KernelDefinition>;

/**
 * Defines the WGSL of an operation that `defineOp` of autograd made, or of a composite of the graph, to be
 * passed to `createWebGPU({ kernels })`. Other devices compute the operation's body.
 * @param build from shapes, dtypes and attributes to WGSL: a pure function, called once for each program that
 *   contains the composite
 */
export function defineKernel<A extends Attrs>(
  operation: Composite<A> | { readonly composite: Composite<A> },
  build: (spec: KernelSpec<A>) => KernelSource,
): KernelDefinition {
  checkCount('defineKernel', arguments.length, 2, 'defineKernel(operation, build)');
  const composite = 'composite' in operation ? operation.composite : operation;
  return { composite, build: build as unknown as KernelDefinition['build'] };
}

/** Plans a custom kernel: how it is divided is the user's decision. */
export function planCustomKernel(
  kernel: CustomKernel,
  profile: AdapterProfile,
  definitions: Definitions,
): ShaderPlan<null> {
  const { build } = definitions.get(kernel.composite)!;
  return { scratch: 0, partition: null, emit: (layout) => [customShader(kernel, layout, profile, build)] };
}

/** @throws DeviceError if the kernel asks for no workgroups */
function customShader(
  { operands, composite, attrs, inputs, outputs }: CustomKernel,
  { access }: OperandLayout,
  profile: AdapterProfile,
  build: KernelDefinition['build'],
): Shader {
  const specOf = ({ operand, shape }: WholeArray): Spec => ({ shape, dtype: operands[operand]!.dtype });
  const specs = { inputs: inputs.map(specOf), outputs: outputs.map(specOf) };
  const { wgsl, workgroups } = build({ attrs, ...specs, profile });
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
    // An array that is passed twice is bound once.
    if (known !== undefined) {
      text = text.replace(new RegExp(`\\b${name}\\b`, 'g'), known);
      return;
    }
    declared.set(operand, name);
    const type = elementType(operands[operand]!.dtype);
    lines.push(
      `@group(0) @binding(${bindings.length}) var<storage, ${access[operand]!}> ${name}: array<${type}>;`,
    );
    bindings.push({ kind: 'operand', operand, access: access[operand]! });
  };
  inputs.forEach(({ operand }, input) => declare(operand, `x${input}`));
  outputs.forEach(({ operand }, output) => declare(operand, `y${output}`));
  return { wgsl: `${lines.join('\n')}\n\n${text}`, bindings, workgroups };
}
