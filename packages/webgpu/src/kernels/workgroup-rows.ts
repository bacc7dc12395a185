/**
 * A workgroup for each row: each invocation reduces every `size`th column, then a tree in workgroup memory
 * reduces their accumulators. With subgroups the lowest levels of the tree are shuffles between registers.
 * Every invocation ends with the result, which the next pass reads.
 */
import type { LoopKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { Block } from '../emit/block.ts';
import { Scope } from '../emit/expression-writer.ts';
import { GROUP_ROW, shaderOf } from '../emit/module.ts';
import { accumulatorOf, type Accumulator } from './reductions.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';
import { declareResults, loopOverColumns, openRow } from './row-loop.ts';

/** The shader of a kernel with a workgroup of `size` invocations for each row. */
export function workgroupRows(
  kernel: LoopKernel,
  layout: OperandLayout,
  profile: AdapterProfile,
  size: number,
): Shader {
  const { rows, columns, reductions, passes, rowStores } = kernel;
  const body = new Block(1);
  if (sizeOf(rows) > GROUP_ROW) body.open(`if (group >= ${sizeOf(rows)})`).line('return;');
  const row = openRow(kernel, layout, body, 'group');
  const { scope, expressions } = row;
  const declarations: string[] = [];
  for (const pass of passes) {
    const accumulators = loopOverColumns(kernel, pass, row, body, {
      first: 'lane',
      step: size,
      count: Math.ceil(sizeOf(columns) / size),
    });
    accumulators.forEach((accumulator) => {
      if (canShuffle(accumulator, profile))
        reduceBySubgroups(body, accumulator, size, size / profile.subgroups!.least, declarations);
      else reduceByTree(body, accumulator, size, declarations);
    });
    declareResults(body, pass, accumulators);
  }
  if (rowStores.length > 0) {
    scope.block = body.insertionPoint();
    const first = body.open('if (lane == 0)');
    expressions.storeAll(rowStores, new Scope(first.insertionPoint(), [], scope));
  }
  const isShuffling = reductions.some((reduction, number) =>
    canShuffle(accumulatorOf(reduction, number, expressions), profile),
  );
  return shaderOf({
    expressions,
    size,
    workgroups: sizeOf(rows),
    body,
    declarations,
    ...(isShuffling
      ? {
          usesSubgroups: true,
          parameters: [
            '@builtin(subgroup_size) subgroup_size: u32',
            '@builtin(subgroup_invocation_id) subgroup_lane: u32',
          ],
        }
      : {}),
  });
}

/** Whether subgroups can shuffle an accumulator: there is no shuffle of bools. */
function canShuffle({ state }: Accumulator, { subgroups }: AdapterProfile): boolean {
  return subgroups !== null && state.every(({ type }) => type !== 'bool');
}

/** Declares workgroup memory for `count` states of an accumulator. @returns the names, one per word */
function declareSharedState(
  { state }: Accumulator,
  count: number,
  declarations: string[],
): readonly string[] {
  return state.map(({ name, type }) => {
    const shared = `shared_${name}`;
    declarations.push(`var<workgroup> ${shared}: array<${type}, ${count}>;`);
    return shared;
  });
}

/** Reduces the accumulators of all invocations by a tree in workgroup memory. */
function reduceByTree(body: Block, accumulator: Accumulator, size: number, declarations: string[]): void {
  const shared = declareSharedState(accumulator, size, declarations);
  accumulator.state.forEach(({ name }, word) => body.line(`${shared[word]!}[lane] = ${name};`));
  body.line('workgroupBarrier();');
  const loop = body.open(`for (var width = ${size / 2}; width > 0; width /= 2)`);
  const half = loop.open('if (lane < width)');
  accumulator.combine(
    half,
    shared.map((name) => `${name}[lane + width]`),
  );
  accumulator.state.forEach(({ name }, word) => half.line(`${shared[word]!}[lane] = ${name};`));
  loop.line('workgroupBarrier();');
  accumulator.state.forEach(({ name }, word) => body.line(`${name} = ${shared[word]!}[0];`));
}

/** Reduces each subgroup by shuffles; then every invocation reduces the subgroups' results, in one order. */
function reduceBySubgroups(
  body: Block,
  accumulator: Accumulator,
  size: number,
  most: number,
  declarations: string[],
): void {
  const shared = declareSharedState(accumulator, most, declarations);
  const shuffle = body.open('for (var width = subgroup_size / 2u; width > 0u; width /= 2u)');
  const others = accumulator.state.map(({ name }) => {
    const other = `other_${name}`;
    shuffle.line(`let ${other} = subgroupShuffleXor(${name}, width);`);
    return other;
  });
  accumulator.combine(shuffle, others);
  const first = body.open('if (subgroup_lane == 0u)');
  accumulator.state.forEach(({ name }, word) =>
    first.line(`${shared[word]!}[invocation / subgroup_size] = ${name};`),
  );
  body.line('workgroupBarrier();');
  accumulator.state.forEach(({ name }, word) => body.line(`${name} = ${shared[word]!}[0];`));
  const rest = body.open(`for (var each = 1u; each < ${size}u / subgroup_size; each++)`);
  accumulator.combine(
    rest,
    shared.map((name) => `${name}[each]`),
  );
}
