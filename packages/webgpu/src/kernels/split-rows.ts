/**
 * How the rows of a reduction are shared out, and the long ones: rows that are too few to keep an adapter
 * busy are cut in parts, which one shader folds into working memory and another folds into results.
 */
import type { LoopKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { Block } from '../emit/block.ts';
import { shaderOf } from '../emit/module.ts';
import { declareWorkItem, workgroupsFor } from './work-items.ts';
import { accumulatorOf, type Accumulator } from './reductions.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';
import { openRow, storeAll, loopOverColumns } from './row-loop.ts';

/** Invocations of a workgroup that folds a row in software. */
const WORKGROUP = 64;

/** Who folds a row: one invocation, one workgroup, or several invocations in two steps. */
export type RowStrategy =
  | { readonly kind: 'invocation' }
  | { readonly kind: 'workgroup'; readonly size: number }
  | { readonly kind: 'split'; readonly chunks: number };

/** Rows that keep an adapter busy when each has one invocation: in software a few vectors for each core. */
const ENOUGH_ROWS = { software: 32, hardware: 8192 } as const;
/** Columns of a part, at the least. */
const LEAST_CHUNK_COLUMNS = { software: 256, hardware: 64 } as const;
/** Parts of a row, at the most. */
const MOST_CHUNKS = { software: 64, hardware: 1024 } as const;
/** Parts above which their results are added up in blocks of so many. */
const PARTIAL_BLOCK = 32;
/** Columns of a row that are worth a workgroup. */
const GROUP_COLUMNS = 32;

/** Chooses the strategy for a kernel that has rows. */
export function rowStrategy(kernel: LoopKernel, { isSoftware, maxInvocations }: AdapterProfile): RowStrategy {
  const [rows, columns] = [sizeOf(kernel.rows), sizeOf(kernel.columns)];
  const adapter = isSoftware ? 'software' : 'hardware';
  if (rows >= ENOUGH_ROWS[adapter] || columns < 2 * GROUP_COLUMNS) return { kind: 'invocation' };
  const isOnePass = kernel.passes.length === 1 && kernel.passes[0]!.stores.length === 0;
  const chunks = Math.min(
    MOST_CHUNKS[adapter],
    Math.floor(columns / LEAST_CHUNK_COLUMNS[adapter]),
    Math.ceil((2 * ENOUGH_ROWS[adapter]) / rows),
  );
  if (isOnePass && chunks > 1 && (isSoftware || rows < 64)) return { kind: 'split', chunks: chunks };
  const wanted = isSoftware ? WORKGROUP : 2 ** Math.ceil(Math.log2(columns / 4));
  return { kind: 'workgroup', size: Math.min(maxInvocations, 256, Math.max(32, wanted)) };
}

/** Words of working memory that a kernel needs. */
export function loopScratchWords(kernel: LoopKernel, profile: AdapterProfile): number {
  if (kernel.reductions.length === 0) return 0;
  const strategy = rowStrategy(kernel, profile);
  if (strategy.kind !== 'split') return 0;
  const states = kernel.reductions.reduce(
    (sum, { kind }) => sum + (kind === 'argmax' || kind === 'argmin' ? 2 : 1),
    0,
  );
  return states * sizeOf(kernel.rows) * strategy.chunks;
}

/** A word of working memory as a value, and a value as a word. */
function fromWord(type: string, word: string): string {
  return type === 'bool' ? `(${word} != 0u)` : type === 'u32' ? word : `bitcast<${type}>(${word})`;
}
function toWord(type: string, value: string): string {
  return type === 'bool' ? `select(0u, 1u, ${value})` : type === 'u32' ? value : `bitcast<u32>(${value})`;
}

/**
 * The state of part `part` of row `row` in working memory: reductions after each other, then rows, then
 * parts.
 */
function stateSlots(
  accumulators: readonly Accumulator[],
  rows: number,
  chunks: number,
): readonly (readonly { readonly place: string; readonly type: string }[])[] {
  let next = 0;
  return accumulators.map(({ state }) =>
    state.map(({ type }) => {
      const first = next++ * rows * chunks;
      return { place: first === 0 ? `row * ${chunks} + part` : `${first} + row * ${chunks} + part`, type };
    }),
  );
}

/** The two shaders of a reduction whose rows are cut in parts. */
export function splitShaders(kernel: LoopKernel, layout: OperandLayout, chunks: number): readonly Shader[] {
  return [reduceChunks(kernel, layout, chunks), reducePartials(kernel, layout, chunks)];
}

function reduceChunks(kernel: LoopKernel, layout: OperandLayout, chunks: number): Shader {
  const { rows, columns, passes } = kernel;
  const rowCount = sizeOf(rows);
  const workgroups = workgroupsFor(rowCount * chunks);
  const body = new Block(1);
  declareWorkItem(body, 'place', rowCount * chunks, workgroups);
  body.line(`let row = place / ${chunks};`, `let part = place % ${chunks};`);
  const opened = openRow(kernel, layout, body, 'row');
  const { expressions } = opened;
  const accumulators = loopOverColumns(kernel, passes[0]!, opened, body, {
    first: 'part',
    step: chunks,
    count: Math.ceil(sizeOf(columns) / chunks),
  });
  const scratch = expressions.operands.scratch();
  stateSlots(accumulators, rowCount, chunks).forEach((places, which) =>
    places.forEach(({ place, type }, word) =>
      body.line(`${scratch}[${place}] = ${toWord(type, accumulators[which]!.state[word]!.name)};`),
    ),
  );
  return shaderOf({ expressions, ...workgroups, body });
}

function reducePartials(kernel: LoopKernel, layout: OperandLayout, chunks: number): Shader {
  const { rows, reductions, passes, rowStores } = kernel;
  const count = sizeOf(rows);
  const workgroups = workgroupsFor(count);
  const body = new Block(1);
  declareWorkItem(body, 'row', count, workgroups);
  const { scope, expressions } = openRow(kernel, layout, body, 'row');
  const numbers = passes[0]!.reductions;
  const accumulators = numbers.map((number) => accumulatorOf(reductions[number]!, number, expressions));
  for (const accumulator of accumulators) accumulator.begin(body);
  const isBlocked = chunks > PARTIAL_BLOCK;
  const outer = isBlocked
    ? body.open(`for (var begin = 0; begin < ${chunks}; begin += ${PARTIAL_BLOCK})`)
    : body;
  if (isBlocked) for (const accumulator of accumulators) accumulator.beginBlock(outer);
  const [first, end] = isBlocked
    ? ['begin', `min(begin + ${PARTIAL_BLOCK}, ${chunks})`]
    : ['0', String(chunks)];
  const loop = outer.open(`for (var part = ${first}; part < ${end}; part++)`);
  const scratch = expressions.operands.scratch();
  stateSlots(accumulators, count, chunks).forEach((places, which) => {
    const names = places.map(({ place, type }, word) => {
      const name = `${accumulators[which]!.state[word]!.name}_part`;
      loop.line(`let ${name} = ${fromWord(type, `${scratch}[${place}]`)};`);
      return name;
    });
    accumulators[which]!.combine(loop, names);
  });
  if (isBlocked) for (const accumulator of accumulators) accumulator.endBlock(outer);
  numbers.forEach((number, place) => body.line(`let r${number} = ${accumulators[place]!.result()};`));
  scope.block = body.insertionPoint();
  storeAll(expressions, rowStores, scope);
  return shaderOf({ expressions, ...workgroups, body });
}
