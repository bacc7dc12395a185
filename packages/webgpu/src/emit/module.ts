/**
 * Assembles a shader module: declarations of operands and library functions, then `main`, which numbers its
 * workgroup and its invocation. Everywhere conditions are joined by `&` and `|`: `&&` and `||` are branches,
 * and SwiftShader's compile time is exponential in the number of successive branches in a loop.
 */
import type { Block } from './block.ts';
import type { ExpressionWriter } from './expression-writer.ts';
import { declarationsOf } from '../scalar/operations.ts';
import type { Shader } from './shader.ts';

/** Workgroups along one dimension, at most (`maxComputeWorkgroupsPerDimension`): more become a grid. */
export const GROUP_ROW = 65535;

/** The directive that enables subgroups, where the compiler knows it. */
export const SUBGROUPS_DIRECTIVE = 'enable subgroups;\n';

/** What a module is made of. */
export interface ModuleParts {
  readonly expressions: ExpressionWriter;
  /** Invocations of a workgroup. */
  readonly size: number;
  readonly workgroups: number;
  /** Statements of `main`: `group` is the workgroup's number, `lane` the invocation's in it, both i32. */
  readonly body: Block;
  /** Comment lines at the top. */
  readonly header?: readonly string[];
  /** Declarations before `main`: workgroup memory, functions. */
  readonly declarations?: readonly string[];
  /** The built-in value that is an invocation's `lane`; the subgroup's where a workgroup is one subgroup. */
  readonly lane?: 'local_invocation_index' | 'subgroup_invocation_id';
  /** Whether it calls subgroup functions. */
  readonly usesSubgroups?: boolean;
  /** Further parameters of `main`, such as `@builtin(subgroup_size) subgroup_size: u32`. */
  readonly parameters?: readonly string[];
}

/** Assembles a shader. */
export function shaderOf({
  expressions,
  size,
  workgroups,
  body,
  header = [],
  declarations = [],
  lane = 'local_invocation_index',
  usesSubgroups = false,
  parameters = [],
}: ModuleParts): Shader {
  const { lines, bindings } = expressions.operands.declare();
  const isTwoDimensional = workgroups > GROUP_ROW;
  const text = [
    ...header.map((line) => `${line}\n`),
    usesSubgroups ? SUBGROUPS_DIRECTIVE : '',
    ...[...lines, ...declarations].map((line) => `${line}\n`),
    withBreak(declarationsOf(expressions.needs)),
    `\n@compute @workgroup_size(${size})\nfn main(${[
      '@builtin(workgroup_id) workgroup: vec3u',
      ...(isTwoDimensional ? ['@builtin(num_workgroups) workgroups: vec3u'] : []),
      `@builtin(${lane}) invocation: u32`,
      ...parameters,
    ].join(', ')}) {\n`,
    `  let group = i32(${isTwoDimensional ? 'workgroup.x + workgroup.y * workgroups.x' : 'workgroup.x'});\n`,
    '  let lane = i32(invocation);\n',
    expressions.needs.has('opaque_f32') ? '  zero = workgroup.z;\n' : '',
    body.toString(),
    '}\n',
  ];
  return { wgsl: text.join(''), bindings, workgroups };
}

/** The grid of a dispatch: at least `workgroups`, at most `GROUP_ROW` along each dimension. */
export function dispatchOf(workgroups: number): readonly [number, number] {
  const rows = Math.ceil(workgroups / GROUP_ROW);
  return [Math.ceil(workgroups / rows), rows];
}

function withBreak(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
