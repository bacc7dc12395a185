/**
 * Sorting: a value becomes an integer that orders as the values do (its bits, with those of negative numbers turned round; NaN the largest). An element's place in a short
 * run is the number of those before it. Longer rows are runs in working memory, of which two and two are merged until one is left: an invocation finds by binary search what
 * its outputs are made of, and merges these (Green, McColl and Bader, "GPU Merge Path", 2012). The left of equals comes first, so the order is stable.
 */
import { axisName, type SortKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { declareAxes, range } from './axes.ts';
import { Block } from '../emit/block.ts';
import { Expressions, extentsOf, Scope } from '../emit/expressions.ts';
import { shaderOf } from '../emit/module.ts';
import { Operands } from '../emit/operands.ts';
import { declarePiece, workgroupsFor } from './invocations.ts';
import type { AdapterProfile } from '../profile.ts';
import { valueType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../shader.ts';

/** Elements of a row that is sorted by ranks alone, and of a run of a longer one. */
const SHORT = 64;
const RUN = 32;
/** Elements that an invocation merges, a divisor of a run: hardware wants many invocations first. */
const MERGED = { software: 32, hardware: 8 } as const;
const ENOUGH_ELEMENTS = 2 ** 17;

/** Passes that merge runs. */
function mergesOf({ count }: SortKernel): number {
  return count <= SHORT ? 0 : Math.ceil(Math.log2(count / RUN));
}

/** Elements in all rows. */
function elementsOf({ rows, count }: SortKernel): number {
  return sizeOf(rows) * count;
}

/** Words of working memory that a kernel needs: a key and a position for each element, twice, unless one merge is enough. */
export function sortScratchWords(kernel: SortKernel): number {
  return 2 * elementsOf(kernel) * Math.min(2, mergesOf(kernel));
}

/** The shaders of a sort kernel. */
export function sortShaders(kernel: SortKernel, layout: OperandLayout, profile: AdapterProfile): readonly Shader[] {
  const merges = mergesOf(kernel);
  return [
    rankShader(kernel, layout, merges === 0),
    ...range(merges).map((pass) => mergeShader(kernel, layout, profile, pass, pass === merges - 1)),
  ];
}

/** Sorts each run, or each row, by counting for each element the ones before it. */
function rankShader(kernel: SortKernel, layout: OperandLayout, isWhole: boolean): Shader {
  const { rows, count, operands, value, descending } = kernel;
  const elements = elementsOf(kernel);
  const axis = rows.length;
  const expressions = new Expressions(new Operands(operands, layout), extentsOf(kernel));
  const workgroups = workgroupsFor(elements);
  const body = new Block(1);
  declarePiece(body, 'piece', elements, workgroups);
  body.line(`let row = piece / ${count};`, `let position = piece % ${count};`);
  declareAxes(body, 0, rows, 'row');
  const scope = new Scope(body.slot(), range(axis));
  /** The value at a column, in a block of its own. */
  const valueAt = (block: Block, column: string): { readonly text: string; readonly scope: Scope } => {
    block.line(`let ${axisName(axis)} = ${column};`);
    const inner = new Scope(block.slot(), [axis], scope);
    return { text: expressions.write([value], inner)[0]!, scope: inner };
  };
  body.line('var key: u32;');
  const own = valueAt(body.nest(''), 'position');
  own.scope.block.line(`key = sort_key(${own.text});`);
  const [begin, end] = isWhole ? ['0', String(count)] : ['begin', `min(begin + ${RUN}, ${count})`];
  if (!isWhole) body.line(`let begin = position / ${RUN} * ${RUN};`);
  body.line(`var rank = ${begin};`);
  const loop = body.nest(`for (var column = ${begin}; column < ${end}; column++)`);
  const each = valueAt(loop, 'column');
  each.scope.block.line(`let other = sort_key(${each.text});`);
  each.scope.block.line('rank += select(0, 1, other < key || (other == key && column < position));');
  if (isWhole) {
    storePosition(kernel, expressions, body.nest(''), scope, 'rank', 'position');
  } else {
    const scratch = expressions.operands.scratch();
    body.line(`let place = row * ${count} + rank;`);
    body.line(`${scratch}[place] = key;`, `${scratch}[${elements} + place] = u32(position);`);
  }
  return shaderOf({ expressions, ...workgroups, body, declarations: [keyFunction(value.dtype, descending)] });
}

/** Stores where the element at a column of the sorted row is. */
function storePosition(
  { rows, target }: SortKernel,
  expressions: Expressions,
  block: Block,
  scope: Scope,
  column: string,
  position: string,
): void {
  block.line(`let ${axisName(rows.length)} = ${column};`);
  const inner = new Scope(block.slot(), [rows.length], scope);
  const place = expressions.place(target.index, inner);
  inner.block.line(expressions.operands.store(target.operand, place, position));
}

/** The function that makes keys of values. */
function keyFunction(dtype: SortKernel['value']['dtype'], descending: boolean): string {
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

/** Merges runs of `RUN`·2^pass elements two and two, from one half of the working memory to the other; the last pass stores positions. */
function mergeShader(kernel: SortKernel, layout: OperandLayout, { isSoftware }: AdapterProfile, pass: number, isLast: boolean): Shader {
  const { rows, count, operands } = kernel;
  const elements = elementsOf(kernel);
  const run = RUN * 2 ** pass;
  const merged = isSoftware ? MERGED.software : elements < ENOUGH_ELEMENTS ? 1 : MERGED.hardware;
  const perRow = Math.ceil(count / merged);
  const pieces = sizeOf(rows) * perRow;
  const [from, to] = pass % 2 === 0 ? [0, 2 * elements] : [2 * elements, 0];
  const expressions = new Expressions(new Operands(operands, layout), extentsOf(kernel));
  const scratch = expressions.operands.scratch();
  const workgroups = workgroupsFor(pieces);
  const body = new Block(1);
  declarePiece(body, 'piece', pieces, workgroups);
  body.line(`let row = piece / ${perRow};`, `let first = piece % ${perRow} * ${merged};`);
  declareAxes(body, 0, rows, 'row');
  const scope = new Scope(body.slot(), range(rows.length));
  body.line(
    `let keys = ${from} + row * ${count};`,
    `let begin = first / ${2 * run} * ${2 * run};`,
    `let middle = min(begin + ${run}, ${count});`,
    `let end = min(begin + ${2 * run}, ${count});`,
    '// So many elements of the left run are among those before the first.',
    'let before = first - begin;',
    'var low = max(0, before - (end - middle));',
    'var high = min(before, middle - begin);',
  );
  const search = body.nest('while (low < high)');
  search.line('let half = (low + high) / 2;');
  search.nest(`if (${scratch}[keys + begin + half] <= ${scratch}[keys + middle + before - half - 1])`).line('low = half + 1;');
  search.nest('else').line('high = half;');
  body.line('var left = begin + low;', 'var right = middle + before - low;');
  const loop = body.nest(`for (var column = first; column < min(first + ${merged}, end); column++)`);
  loop.line(`let is_left = left < middle && (right >= end || ${scratch}[keys + left] <= ${scratch}[keys + right]);`);
  loop.line('let source = keys + select(right, left, is_left);');
  const position = `${scratch}[${elements} + source]`;
  if (isLast) storePosition(kernel, expressions, loop, scope, 'column', `i32(${position})`);
  else {
    loop.line(`let place = ${to} + row * ${count} + column;`);
    loop.line(`${scratch}[place] = ${scratch}[source];`, `${scratch}[${elements} + place] = ${position};`);
  }
  loop.line('left += select(0, 1, is_left);', 'right += select(1, 0, is_left);');
  return shaderOf({ expressions, ...workgroups, body });
}
