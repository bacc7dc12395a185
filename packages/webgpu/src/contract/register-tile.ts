/**
 * Matrix products for adapters that compute on the CPU. An invocation keeps a tile of sums in named variables and loads straight from the arrays: nothing is shared but what
 * the caches share, and nobody waits. The lanes of a subgroup, which are one vector register, lie along m, n or k, so that they load neighbouring elements:
 *
 *   along n: b loads neighbours, an element of a is the same in all lanes; where a is contiguous along k or m, lanes load neighbours of it too, and tell each other;
 *   along m: the same with a and b exchanged;
 *   along k: both load neighbours, and the lanes' sums are added up in the end, so that a·bᵀ loads no element by itself.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { Block } from '../emit/block.ts';
import type { Expressions } from '../emit/expressions.ts';
import { GROUP_ROW, shaderOf } from '../emit/module.ts';
import { declareAxes } from '../kernels/axes.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../shader.ts';
import { Elements, factorsOf, type Factor, type Load, type Positions } from './factor.ts';
import { finishOf, type Finish } from './finish.ts';
import { headerOf } from './header.ts';
import { SUM_BLOCK, Sums } from './sums.ts';
import { sum } from './text.ts';

/** The axis along which lanes lie. */
export type LaneAxis = 'm' | 'n' | 'k';

/** How the work is shared out. */
export interface RegisterTile {
  readonly lanes: LaneAxis;
  /** Invocations of a workgroup: as many as run in step. */
  readonly width: number;
  /** Sums of an invocation. */
  readonly rows: number;
  readonly columns: number;
  /** Steps along k in one turn of the loop. */
  readonly unroll: number;
  /** Whether lanes may read each other's registers. */
  readonly subgroups: boolean;
}

/** Rows and columns of a workgroup. */
export function extentOf({ lanes, width, rows, columns }: RegisterTile): { readonly rows: number; readonly columns: number } {
  return { rows: lanes === 'm' ? rows * width : rows, columns: lanes === 'n' ? columns * width : columns };
}

/** Workgroups of a product. */
export function workgroupsOf({ batch, m, n }: ContractKernel, tile: RegisterTile): number {
  const { rows, columns } = extentOf(tile);
  return sizeOf(batch) * Math.ceil(m / rows) * Math.ceil(n / columns);
}

/** The shader of a product. */
export function registerTileShader(kernel: ContractKernel, layout: OperandLayout, tile: RegisterTile): Shader {
  const { lanes, width, rows, columns, subgroups } = tile;
  const extent = extentOf(tile);
  const isEdged = { m: kernel.m % extent.rows !== 0, n: kernel.n % extent.columns !== 0 };
  const finish = finishOf(kernel, layout, isEdged);
  const { expressions } = finish;
  const workgroups = workgroupsOf(kernel, tile);
  const body = new Block(1);
  if (workgroups > GROUP_ROW) body.nest(`if (group >= ${workgroups})`).line('return;');
  declarePlace(body, kernel, tile);

  const [left, right] = factorsOf(kernel);
  const positions = {
    left: { first: 'row', step: lanes === 'm' ? width : 1, count: rows, last: isEdged.m ? kernel.m - 1 : null },
    right: { first: 'column', step: lanes === 'n' ? width : 1, count: columns, last: isEdged.n ? kernel.n - 1 : null },
  };
  const sources = [left, right].map((factor) => sourceOf(factor, positions[factor.name], tile, expressions, body)) as [Source, Source];
  const sums = new Sums(elementType(kernel.dtype), rows, columns);
  addUp(body, kernel, tile, sums, sources);
  if (lanes === 'k') sums.replace(body, 'sum', (name) => `subgroupAdd(${name})`);
  writeFinish(body, tile, sums, finish);

  const note = `each invocation: ${rows} × ${columns} sums; ${width} lanes along ${lanes}`;
  return shaderOf({
    expressions,
    size: width,
    workgroups,
    body,
    header: headerOf(kernel, note),
    declarations: [...[left, right].flatMap(({ declaration }) => declaration ?? []), finish.declaration],
    enable: subgroups ? ['subgroups'] : [],
    parameters: subgroups ? ['@builtin(subgroup_invocation_id) subgroup_invocation: u32'] : [],
  });
}

/** Declares the axes of the batch, and the first row and column of an invocation. */
function declarePlace(body: Block, { batch, m, n }: ContractKernel, tile: RegisterTile): void {
  const { lanes, subgroups } = tile;
  const extent = extentOf(tile);
  const [down, across] = [Math.ceil(m / extent.rows), Math.ceil(n / extent.columns)];
  if (batch.length > 0) {
    body.line(`let matrix = group / ${down * across};`);
    declareAxes(body, 0, batch, 'matrix');
  }
  const first = (count: number, place: string, size: number, isLane: boolean): string =>
    sum(count === 1 ? '0' : `${size} * (${place})`, isLane ? 'lane' : 0);
  if (subgroups) body.line('let neighbour = i32(subgroup_invocation);');
  body.line(
    `let row = ${first(down, `group / ${across} % ${down}`, extent.rows, lanes === 'm')};`,
    `let column = ${first(across, `group % ${across}`, extent.columns, lanes === 'n')};`,
  );
}

/** The elements of a factor for the steps of one turn, from `inner` on. `isWhole` tells whether it is a whole turn. */
type Source = (block: Block, inner: string, isWhole: boolean) => Load;

/** How a factor's elements get into registers. */
function sourceOf(factor: Factor, positions: Positions, tile: RegisterTile, expressions: Expressions, body: Block): Source {
  const { lanes, width, unroll, subgroups } = tile;
  const { name, steps } = factor;
  const isAlike = lanes === (name === 'left' ? 'n' : 'm');
  const canTell = subgroups && isAlike && steps !== null;
  if (canTell && steps.own === 1 && steps.inner !== 1 && positions.count % width === 0) {
    const first = sum(positions.first, 'neighbour');
    const shared = new Elements(factor, { ...positions, first, step: width, count: positions.count / width }, expressions, body);
    return (block, inner) => {
      const load = shared.along(block, inner);
      const named = new Set<string>();
      return (position, step = 0) => {
        const part = Math.floor(position / width);
        const whole = `${name}_part${part}_${step}`;
        if (!named.has(whole)) block.line(`let ${whole} = ${load(part, step)};`);
        named.add(whole);
        return `subgroupBroadcast(${whole}, ${position % width})`;
      };
    };
  }
  const elements = new Elements(factor, positions, expressions, body);
  const alone: Source = (block, inner) => elements.along(block, inner);
  if (canTell && steps.inner === 1 && unroll % width === 0) {
    return (block, inner, isWhole) => {
      if (!isWhole) return alone(block, inner, false);
      const load = elements.along(block, `${inner} + neighbour`);
      const named = (position: number, turn: number): string => `${name}_part${position}${unroll === width ? '' : `_${turn}`}`;
      for (let turn = 0; turn < unroll / width; turn++) {
        for (let position = 0; position < positions.count; position++) {
          block.line(`let ${named(position, turn)} = ${load(position, turn * width)};`);
        }
      }
      return (position, step = 0) => `subgroupBroadcast(${named(position, Math.floor(step / width))}, ${step % width})`;
    };
  }
  return alone;
}

/** The loops over k. */
function addUp(body: Block, kernel: ContractKernel, tile: RegisterTile, sums: Sums, [left, right]: readonly [Source, Source]): void {
  const { lanes, width, unroll } = tile;
  const stride = lanes === 'k' ? width : 1;
  const turn = unroll * stride;
  const whole = kernel.k - (kernel.k % turn);
  const from = (start: string): string => (lanes === 'k' ? sum(start, 'lane') : start);
  const writeSteps = (block: Block, prefix: string, count: number): void => {
    const [leftAt, rightAt] = [left, right].map((source) => source(block, 'inner', count === unroll)) as [Load, Load];
    for (let step = 0; step < count; step++) {
      sums.addProducts(block, prefix, step, (row) => leftAt(row, step * stride), (column) => rightAt(column, step * stride));
    }
  };
  sums.declare(body, 'sum');
  if (whole > SUM_BLOCK && kernel.dtype === 'float32') {
    const outer = body.nest(`for (var begin = 0; begin < ${whole}; begin += ${SUM_BLOCK})`);
    sums.declare(outer, 'part');
    const end = whole % SUM_BLOCK === 0 ? `begin + ${SUM_BLOCK}` : `min(begin + ${SUM_BLOCK}, ${whole})`;
    writeSteps(outer.nest(`for (var inner = ${from('begin')}; inner < ${end}; inner += ${turn})`), 'part', unroll);
    sums.add(outer, 'sum', 'part');
  } else if (whole > 0) {
    writeSteps(body.nest(`for (var inner = ${from('0')}; inner < ${whole}; inner += ${turn})`), 'sum', unroll);
  }
  if (whole < kernel.k) writeSteps(body.nest(`for (var inner = ${from(String(whole))}; inner < ${kernel.k}; inner += ${stride})`), 'sum', 1);
}

/** Calls `finish` for every sum; lanes along k hold the same ones, and share them out by columns. */
function writeFinish(body: Block, { lanes, width, rows, columns }: RegisterTile, sums: Sums, { call }: Finish): void {
  const [down, across] = [lanes === 'm' ? width : 1, lanes === 'n' ? width : 1];
  if (lanes !== 'k') {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        body.line(call(sum('row', down * row), sum('column', across * column), sums.at('sum', row, column)));
      }
    }
    return;
  }
  for (let column = 0; column < columns; column += 4) {
    const count = Math.min(4, columns - column);
    const block = count === width ? body : body.nest(`if (lane < ${count})`);
    for (let row = 0; row < rows; row++) {
      const place = sum('column', count === 1 ? column : sum('lane', column));
      block.line(call(sum('row', row), place, sums.chosen('sum', row, column, 'lane')));
    }
  }
}
