/**
 * Reductions of few long rows: each row is divided into chunks. One dispatch reduces the chunks to partial
 * results in working memory, a second one reduces the partial results of each row.
 */
import type { LoopKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { Block } from '../emit/block.ts';
import { shaderOf } from '../emit/module.ts';
import { fromElement, toElement } from '../emit/operands.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';
import { accumulatorOf, type Accumulator } from './reductions.ts';
import { declareResults, loopOverColumns, openRow } from './row-loop.ts';
import { declareWorkItem, workgroupsFor } from './work-items.ts';

/** Partial results above which their sums are blocked; chunks of a block. */
const PARTIAL_BLOCK = 32;

/** Words of working memory: the accumulator state of each chunk. argmax and argmin have two words. */
export function splitScratchWords({ rows, reductions }: LoopKernel, chunks: number): number {
  const words = reductions.map(({ kind }) => (kind === 'argmax' || kind === 'argmin' ? 2 : 1));
  return words.reduce((sum, each) => sum + each, 0) * sizeOf(rows) * chunks;
}

/** The two shaders of a reduction whose rows are divided into chunks. */
export function splitShaders(kernel: LoopKernel, layout: OperandLayout, chunks: number): readonly Shader[] {
  return [reduceChunks(kernel, layout, chunks), reducePartials(kernel, layout, chunks)];
}

/** One word of the state of an accumulator, for chunk `chunk` of row `row` in working memory. */
interface StateWord {
  readonly slot: string;
  readonly name: string;
  readonly type: string;
}

/** The state of each accumulator in working memory, ordered by word, then row, then chunk. */
function stateWords(
  accumulators: readonly Accumulator[],
  rows: number,
  chunks: number,
): readonly (readonly StateWord[])[] {
  let next = 0;
  return accumulators.map(({ state }) =>
    state.map(({ name, type }) => {
      const first = next++ * rows * chunks;
      return { slot: `${first === 0 ? '' : `${first} + `}row * ${chunks} + chunk`, name, type };
    }),
  );
}

function reduceChunks(kernel: LoopKernel, layout: OperandLayout, chunks: number): Shader {
  const { rows, columns, passes } = kernel;
  const rowCount = sizeOf(rows);
  const workgroups = workgroupsFor(rowCount * chunks);
  const body = new Block(1);
  declareWorkItem(body, 'item', rowCount * chunks, workgroups);
  body.line(`let row = item / ${chunks};`, `let chunk = item % ${chunks};`);
  const row = openRow(kernel, layout, body, 'row');
  const { expressions } = row;
  const accumulators = loopOverColumns(kernel, passes[0]!, row, body, {
    first: 'chunk',
    step: chunks,
    count: Math.ceil(sizeOf(columns) / chunks),
  });
  const scratch = expressions.operands.scratch();
  for (const { slot, name, type } of stateWords(accumulators, rowCount, chunks).flat())
    body.line(`${scratch}[${slot}] = ${toWord(type, name)};`);
  return shaderOf({ expressions, ...workgroups, body });
}

function reducePartials(kernel: LoopKernel, layout: OperandLayout, chunks: number): Shader {
  const { rows, reductions, passes, rowStores } = kernel;
  const count = sizeOf(rows);
  const workgroups = workgroupsFor(count);
  const body = new Block(1);
  declareWorkItem(body, 'row', count, workgroups);
  const { scope, expressions } = openRow(kernel, layout, body, 'row');
  const pass = passes[0]!;
  const accumulators = pass.reductions.map((number) =>
    accumulatorOf(reductions[number]!, number, expressions),
  );
  for (const accumulator of accumulators) accumulator.begin(body);
  const isBlocked = chunks > PARTIAL_BLOCK;
  const outer = isBlocked
    ? body.open(`for (var begin = 0; begin < ${chunks}; begin += ${PARTIAL_BLOCK})`)
    : body;
  if (isBlocked) for (const accumulator of accumulators) accumulator.beginBlock(outer);
  const [first, end] = isBlocked
    ? ['begin', `min(begin + ${PARTIAL_BLOCK}, ${chunks})`]
    : ['0', String(chunks)];
  const loop = outer.open(`for (var chunk = ${first}; chunk < ${end}; chunk++)`);
  const scratch = expressions.operands.scratch();
  stateWords(accumulators, count, chunks).forEach((words, each) => {
    const partials = words.map(({ slot, name, type }) => {
      loop.line(`let ${name}_partial = ${fromWord(type, `${scratch}[${slot}]`)};`);
      return `${name}_partial`;
    });
    accumulators[each]!.combine(loop, partials);
  });
  if (isBlocked) for (const accumulator of accumulators) accumulator.endBlock(outer);
  declareResults(body, pass, accumulators);
  scope.block = body.insertionPoint();
  expressions.storeAll(rowStores, scope);
  return shaderOf({ expressions, ...workgroups, body });
}

/** The value of a word of working memory, and the word of a value. */
function fromWord(type: string, word: string): string {
  return type === 'bool' ? fromElement('bool', word) : type === 'u32' ? word : `bitcast<${type}>(${word})`;
}
function toWord(type: string, value: string): string {
  return type === 'bool' ? toElement('bool', value) : type === 'u32' ? value : `bitcast<u32>(${value})`;
}
