/**
 * Sorting: a value becomes an integer that orders as the values do (its bits, with those of negative numbers
 * turned round; NaN the largest), with its position beside it. Short runs are sorted in registers, where
 * neighbours change places if the left one is larger. Longer rows are runs in working memory, of which two
 * and two are merged until one is left: an invocation finds by binary search what its outputs are made of
 * (Green, McColl and Bader, "GPU merge path", 2012). The left of equals comes first, so the order is stable.
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
import type { OperandLayout, Shader } from '../emit/shader.ts';

/**
 * Elements of a run that is sorted in registers: longer ones would be one pass less, and a shader that takes
 * five times as long to compile.
 */
const RUN = 8;
/** Elements that an invocation merges, where there are many: hardware wants many invocations first. */
const MERGED = { software: 128, hardware: 8 } as const;
/** Invocations that keep an adapter busy. */
const ENOUGH = { software: 64, hardware: 16384 } as const;

/** Passes that merge runs. */
function mergesOf({ count }: SortKernel): number {
  return Math.max(0, Math.ceil(Math.log2(count / RUN)));
}

/** Elements in all rows. */
function elementsOf({ rows, count }: SortKernel): number {
  return sizeOf(rows) * count;
}

/**
 * Words of working memory that a kernel needs: a key and a position for each element, twice, unless one merge
 * is enough.
 */
export function sortScratchWords(kernel: SortKernel): number {
  return 2 * elementsOf(kernel) * Math.min(2, mergesOf(kernel));
}

/** The shaders of a sort kernel. */
export function sortShaders(
  kernel: SortKernel,
  layout: OperandLayout,
  profile: AdapterProfile,
): readonly Shader[] {
  const merges = mergesOf(kernel);
  return [
    runShader(kernel, layout, merges === 0),
    ...range(merges).map((pass) => mergeShader(kernel, layout, profile, pass, pass === merges - 1)),
  ];
}

/** Sorts each run in registers. A row that is one run is done with that. */
function runShader(kernel: SortKernel, layout: OperandLayout, isWhole: boolean): Shader {
  const { rows, count, operands, value, descending } = kernel;
  const axis = rows.length;
  const perRow = Math.ceil(count / RUN);
  const items = sizeOf(rows) * perRow;
  const expressions = new ExpressionWriter(new Operands(operands, layout), extentsOf(kernel));
  const workgroups = workgroupsFor(items);
  const body = new Block(1);
  declareWorkItem(body, isWhole ? 'row' : 'piece', items, workgroups);
  if (!isWhole) body.line(`let row = piece / ${perRow};`, `let first = piece % ${perRow} * ${RUN};`);
  declareAxes(body, 0, rows, 'row');
  const scope = new Scope(body.insertionPoint(), range(axis));
  const elements = range(isWhole ? count : RUN);
  const columnOf = (element: number): string => (isWhole ? String(element) : `first + ${element}`);
  for (const element of elements) {
    // What is behind the end of the row is larger than all else.
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
  if (!isWhole) body.line(`let place = 2 * (row * ${count} + first);`);
  for (const element of elements) {
    const inner = body.open(`if (${columnOf(element)} < ${count})`);
    if (isWhole) storePosition(kernel, expressions, inner, scope, columnOf(element), `i32(e${element}.y)`);
    else
      ['x', 'y'].forEach((half, word) =>
        inner.line(`${scratch}[place + ${2 * element + word}] = e${element}.${half};`),
      );
  }
  return shaderOf({ expressions, ...workgroups, body, declarations: [keyFunction(value.dtype, descending)] });
}

/** Stores where the element at a column of the sorted row is. */
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
  const place = expressions.index(target.index, inner);
  inner.block.line(expressions.operands.store(target.operand, place, position));
}

/** The function that makes keys of values. */
function keyFunction(dtype: DType, descending: boolean): string {
  const type = valueType(dtype);
  const turned = (key: string): string => (descending ? `~(${key})` : key);
  if (type !== 'f32') {
    const key = { i32: 'bitcast<u32>(x) ^ 0x80000000u', u32: 'x', bool: 'select(0u, 1u, x)' }[type];
    return `fn sort_key(x: ${type}) -> u32 {\n  return ${turned(key)};\n}`;
  }
  return [
    'fn sort_key(x: f32) -> u32 {',
    '  let bits = bitcast<u32>(x);',
    '  let size = bits & 0x7fffffffu;',
    '  if (size > 0x7f800000u) {\n    return 0xffffffffu;\n  }',
    '  // −0 is 0.',
    `  return ${turned('select(size | 0x80000000u, ~bits, bits > 0x80000000u)')};`,
    '}',
  ].join('\n');
}

/** Elements that an invocation of a merging pass writes: a power of two, and no more than both runs have. */
function mergedOf(elements: number, run: number, isSoftware: boolean): number {
  const adapter = isSoftware ? 'software' : 'hardware';
  const shared = 2 ** Math.floor(Math.log2(Math.max(1, elements / ENOUGH[adapter])));
  return Math.min(2 * run, MERGED[adapter], shared);
}

/**
 * Merges runs of `RUN`·2^pass elements two and two, from one half of the working memory to the other; the
 * last pass stores positions.
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
  declareWorkItem(body, 'piece', items, workgroups);
  body.line(`let row = piece / ${perRow};`, `let first = piece % ${perRow} * ${merged};`);
  declareAxes(body, 0, rows, 'row');
  const scope = new Scope(body.insertionPoint(), range(rows.length));
  const key = (element: string): string => `${scratch}[2 * (${element})]`;
  body.line(
    `let origin = ${from === 0 ? '' : `${from} + `}row * ${count};`,
    `let begin = origin + first / ${2 * run} * ${2 * run};`,
    `let middle = min(begin + ${run}, origin + ${count});`,
    `let end = min(begin + ${2 * run}, origin + ${count});`,
    '// Before the first output come so many elements, of which `low` will be of the left run: all that are not larger than their partner of the right run.',
    'let before = origin + first - begin;',
    'var low = max(0, before - (end - middle));',
    'var high = min(before, middle - begin);',
  );
  const search = body.open('while (low < high)');
  search.line('let half = (low + high) / 2;');
  search.line(`let is_left = ${key('begin + half')} <= ${key('middle + before - half - 1')};`);
  search.line('low = select(low, half + 1, is_left);', 'high = select(half, high, is_left);');
  body.line('var left = begin + low;', 'var right = middle + before - low;');
  // What is behind the end of a run is read, and not used.
  body.line(`var left_key = ${key('left')};`, `var right_key = ${key('right')};`);
  const loop = body.open(`for (var column = first; column < min(first + ${merged}, end - origin); column++)`);
  loop.line('let is_left = (left < middle) & ((right >= end) | (left_key <= right_key));');
  const position = `${scratch}[2 * select(right, left, is_left) + 1]`;
  if (isLast) {
    storePosition(kernel, expressions, loop, scope, 'column', `i32(${position})`);
  } else {
    loop.line(`let place = 2 * (${to === 0 ? '' : `${to} + `}row * ${count} + column);`);
    loop.line(
      `${scratch}[place + 1] = ${position};`,
      `${scratch}[place] = select(right_key, left_key, is_left);`,
    );
  }
  loop.line('left += select(0, 1, is_left);', 'right += select(1, 0, is_left);');
  loop.line(`let next = ${key('select(right, left, is_left)')};`);
  loop.line('left_key = select(left_key, next, is_left);', 'right_key = select(next, right_key, is_left);');
  return shaderOf({ expressions, ...workgroups, body });
}
