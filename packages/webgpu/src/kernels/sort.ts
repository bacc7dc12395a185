/**
 * Sorts, stable. A value becomes a key, an integer of the same order (its bits, inverted for negative
 * numbers; NaN is the largest), beside its position. Runs are sorted in registers by exchanging neighbours.
 * Rows of several runs are merged pairwise in working memory: an invocation finds by binary search which
 * inputs its outputs come from (Green, McColl and Bader, "GPU merge path", 2012). Of equal keys the left one
 * comes first.
 */
import { axisName, type SortKernel } from '@firsthand/compiler';
import type { DType } from '@firsthand/graph';
import { sizeOf } from '@firsthand/linalg';
import { declareAxes, range } from '../emit/axes.ts';
import { Block } from '../emit/block.ts';
import { ExpressionWriter, extentsOf, Scope } from '../emit/expression-writer.ts';
import { shaderOf } from '../emit/module.ts';
import { Operands } from '../emit/operands.ts';
import { declareWorkItem, workgroupsFor } from './work-items.ts';
import type { AdapterProfile } from '../emit/profile.ts';
import { valueType } from '../scalar/operations.ts';
import type { OperandLayout, Shader, ShaderPlan } from '../emit/shader.ts';

/**
 * Elements of a run that is sorted in registers: with 16 there is one pass less, and a shader that compiles
 * five times as long.
 */
const RUN = 8;
/** Elements that an invocation merges, at most: hardware needs many invocations. */
const MERGED = { software: 128, hardware: 8 } as const;
/** Invocations that keep an adapter busy. */
const ENOUGH = { software: 64, hardware: 16384 } as const;

/** How a sort is divided: a dispatch that sorts runs, then one for each merge. */
export interface SortPartition {
  readonly merges: number;
}

/**
 * Plans a sort. Working memory holds a key and a position per element; twice, if there is more than one
 * merge.
 */
export function planSort(kernel: SortKernel, profile: AdapterProfile): ShaderPlan<SortPartition> {
  const merges = Math.max(0, Math.ceil(Math.log2(kernel.count / RUN)));
  return {
    scratch: 4 * 2 * elementsOf(kernel) * Math.min(2, merges),
    partition: { merges },
    emit: (layout) => [
      runShader(kernel, layout, merges === 0),
      ...range(merges).map((pass) => mergeShader(kernel, layout, profile, pass, pass === merges - 1)),
    ],
  };
}

/** Elements in all rows. */
function elementsOf({ rows, count }: SortKernel): number {
  return sizeOf(rows) * count;
}

/** Sorts each run in registers; `isWhole` where a row is one run, whose positions are stored at once. */
function runShader(kernel: SortKernel, layout: OperandLayout, isWhole: boolean): Shader {
  const { rows, count, operands, value, descending } = kernel;
  const axis = rows.length;
  const perRow = Math.ceil(count / RUN);
  const items = sizeOf(rows) * perRow;
  const expressions = new ExpressionWriter(new Operands(operands, layout), extentsOf(kernel));
  const workgroups = workgroupsFor(items);
  const body = new Block(1);
  declareWorkItem(body, isWhole ? 'row' : 'item', items, workgroups);
  if (!isWhole) body.line(`let row = item / ${perRow};`, `let first = item % ${perRow} * ${RUN};`);
  declareAxes(body, range(rows.length), rows, 'row');
  const scope = new Scope(body.insertionPoint(), range(axis));
  const elements = range(isWhole ? count : RUN);
  const columnOf = (element: number): string => (isWhole ? String(element) : `first + ${element}`);
  for (const element of elements) {
    // Elements beyond the end of the row are larger than all others.
    body.line(`var e${element} = vec2u(0xffffffffu, u32(${columnOf(element)}));`);
    const inner = body.open(`if (${columnOf(element)} < ${count})`);
    inner.line(`let ${axisName(axis)} = ${columnOf(element)};`);
    const each = new Scope(inner.insertionPoint(), [axis], scope);
    const [text] = expressions.write([value], each);
    each.block.line(`e${element}.x = sort_key(${text!});`);
  }
  if (elements.length > 1) body.line('var is_after: bool;', 'var smaller: vec2u;');
  for (const last of elements) {
    for (let right = last; right > 0; right--) {
      const [a, b] = [`e${right - 1}`, `e${right}`];
      body.line(`is_after = ${a}.x > ${b}.x;`, `smaller = select(${a}, ${b}, is_after);`);
      body.line(`${b} = select(${b}, ${a}, is_after);`, `${a} = smaller;`);
    }
  }
  const scratch = isWhole ? '' : expressions.operands.scratch();
  if (!isWhole) body.line(`let slot = 2 * (row * ${count} + first);`);
  for (const element of elements) {
    const inner = body.open(`if (${columnOf(element)} < ${count})`);
    if (isWhole) storePosition(kernel, expressions, inner, scope, columnOf(element), `i32(e${element}.y)`);
    else
      ['x', 'y'].forEach((half, word) =>
        inner.line(`${scratch}[slot + ${2 * element + word}] = e${element}.${half};`),
      );
  }
  return shaderOf({ expressions, ...workgroups, body, declarations: [keyFunction(value.dtype, descending)] });
}

/** Stores the position of the element at a column of the sorted row. */
function storePosition(
  { rows, target }: SortKernel,
  expressions: ExpressionWriter,
  block: Block,
  scope: Scope,
  column: string,
  position: string,
): void {
  block.line(`let ${axisName(rows.length)} = ${column};`);
  const inner = new Scope(block.insertionPoint(), [rows.length], scope);
  const index = expressions.index(target.index, inner);
  inner.block.line(expressions.operands.store(target.operand, index, position));
}

/** The function from values to keys. */
function keyFunction(dtype: DType, descending: boolean): string {
  const type = valueType(dtype);
  const ordered = (key: string): string => (descending ? `~(${key})` : key);
  if (type !== 'f32') {
    const key = { i32: 'bitcast<u32>(x) ^ 0x80000000u', u32: 'x', bool: 'select(0u, 1u, x)' }[type];
    return `fn sort_key(x: ${type}) -> u32 {\n  return ${ordered(key)};\n}`;
  }
  return [
    'fn sort_key(x: f32) -> u32 {',
    '  let bits = bitcast<u32>(x);',
    '  let size = bits & 0x7fffffffu;',
    '  if (size > 0x7f800000u) {\n    return 0xffffffffu;\n  }',
    '  // −0 is 0.',
    `  return ${ordered('select(size | 0x80000000u, ~bits, bits > 0x80000000u)')};`,
    '}',
  ].join('\n');
}

/** Elements that an invocation of a merge writes: a power of two, at most those of both runs. */
function mergedOf(elements: number, run: number, isSoftware: boolean): number {
  const adapter = isSoftware ? 'software' : 'hardware';
  const perInvocation = 2 ** Math.floor(Math.log2(Math.max(1, elements / ENOUGH[adapter])));
  return Math.min(2 * run, MERGED[adapter], perInvocation);
}

/**
 * Merges pairs of runs of `RUN`·2^pass elements, from one half of the working memory to the other; the last
 * pass stores positions.
 */
function mergeShader(
  kernel: SortKernel,
  layout: OperandLayout,
  { isSoftware }: AdapterProfile,
  pass: number,
  isLast: boolean,
): Shader {
  const { rows, count, operands } = kernel;
  const elements = elementsOf(kernel);
  const run = RUN * 2 ** pass;
  const merged = mergedOf(elements, run, isSoftware);
  const perRow = Math.ceil(count / merged);
  const items = sizeOf(rows) * perRow;
  const [from, to] = pass % 2 === 0 ? [0, elements] : [elements, 0];
  const expressions = new ExpressionWriter(new Operands(operands, layout), extentsOf(kernel));
  const scratch = expressions.operands.scratch();
  const workgroups = workgroupsFor(items);
  const body = new Block(1);
  declareWorkItem(body, 'item', items, workgroups);
  body.line(`let row = item / ${perRow};`, `let first = item % ${perRow} * ${merged};`);
  declareAxes(body, range(rows.length), rows, 'row');
  const scope = new Scope(body.insertionPoint(), range(rows.length));
  const key = (element: string): string => `${scratch}[2 * (${element})]`;
  body.line(
    `let origin = ${from === 0 ? '' : `${from} + `}row * ${count};`,
    `let begin = origin + first / ${2 * run} * ${2 * run};`,
    `let middle = min(begin + ${run}, origin + ${count});`,
    `let end = min(begin + ${2 * run}, origin + ${count});`,
    '// `before` elements precede the first output. `low` of them are of the left run: the search finds those',
    '// that are not larger than their partner of the right run.',
    'let before = origin + first - begin;',
    'var low = max(0, before - (end - middle));',
    'var high = min(before, middle - begin);',
  );
  const search = body.open('while (low < high)');
  search.line('let half = (low + high) / 2;');
  search.line(`let is_left = ${key('begin + half')} <= ${key('middle + before - half - 1')};`);
  search.line('low = select(low, half + 1, is_left);', 'high = select(half, high, is_left);');
  body.line('var left = begin + low;', 'var right = middle + before - low;');
  // The key beyond the end of a run is read, and not used.
  body.line(`var left_key = ${key('left')};`, `var right_key = ${key('right')};`);
  const loop = body.open(`for (var column = first; column < min(first + ${merged}, end - origin); column++)`);
  loop.line('let is_left = (left < middle) & ((right >= end) | (left_key <= right_key));');
  const position = `${scratch}[2 * select(right, left, is_left) + 1]`;
  if (isLast) {
    storePosition(kernel, expressions, loop, scope, 'column', `i32(${position})`);
  } else {
    loop.line(`let slot = 2 * (${to === 0 ? '' : `${to} + `}row * ${count} + column);`);
    loop.line(
      `${scratch}[slot + 1] = ${position};`,
      `${scratch}[slot] = select(right_key, left_key, is_left);`,
    );
  }
  loop.line('left += select(0, 1, is_left);', 'right += select(1, 0, is_left);');
  loop.line(`let next = ${key('select(right, left, is_left)')};`);
  loop.line('left_key = select(left_key, next, is_left);', 'right_key = select(next, right_key, is_left);');
  return shaderOf({ expressions, ...workgroups, body });
}
