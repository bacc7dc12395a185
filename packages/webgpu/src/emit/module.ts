/**
 * A module around a shader's statements: declarations of arrays and of the functions that are called, and
 * which invocation is which. Conditions are joined by `&` and `|` everywhere: `&&` and `||` are branches, and
 * SwiftShader's compiler takes a time that is exponential in the number of branches that follow one another
 * in a loop.
 */
import type { Block } from './block.ts';
import type { ExpressionWriter } from './expression-writer.ts';
import { declarationsOf } from '../scalar/operations.ts';
import type { Shader } from './shader.ts';

/** Workgroups along one dimension, at most: more are laid out in rows. */
export const GROUP_ROW = 65535;

/** What makes subgroups known to a module, where the compiler knows the directive. */
export const SUBGROUPS_DIRECTIVE = 'enable subgroups;\n';

/** What a module is made of. */
export interface ModuleParts {
  readonly expressions: ExpressionWriter;
  /** Invocations of a workgroup. */
  readonly size: number;
  readonly workgroups: number;
  /**
   * Statements of `main`. `group` is the number of the workgroup, `lane` that of the invocation in it, both
   * i32.
   */
  readonly body: Block;
  /** What it computes, as comment lines at the top. */
  readonly header?: readonly string[];
  /** Declarations in front of `main`: workgroup memory, further functions. */
  readonly declarations?: readonly string[];
  /**
   * The built-in number that is an invocation's `lane`: where workgroups are subgroups, that in the subgroup.
   */
  readonly lane?: 'local_invocation_index' | 'subgroup_invocation_id';
  /** Whether invocations read each other's registers. */
  readonly usesSubgroups?: boolean;
  /** Further built-in parameters of `main`, such as `@builtin(subgroup_size) subgroup_size: u32`. */
  readonly parameters?: readonly string[];
}

/** A shader from its parts. */
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

/** The extents of a dispatch with so many workgroups: at least as many, in rows of at most `GROUP_ROW`. */
export function dispatchOf(workgroups: number): readonly [number, number] {
  const rows = Math.ceil(workgroups / GROUP_ROW);
  return [Math.ceil(workgroups / rows), rows];
}

function withBreak(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
