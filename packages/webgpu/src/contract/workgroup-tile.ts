/**
 * Matrix products for hardware, whose memory is far and whose invocations are many. A workgroup computes a tile of sums: it loads slabs of both factors into workgroup memory, from
 * where every invocation takes what it needs for its own smaller tile, which is in registers. With two buffers the next slabs are on their way while these are multiplied, and one barrier
 * parts the turns.
 */
import type { ContractKernel, Index, Scalar } from '@firsthand/compiler';
import { scalarsIn } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { Block } from '../emit/block.ts';
import { GROUP_ROW, shaderOf } from '../emit/module.ts';
import { declareAxes, range } from '../kernels/axes.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../shader.ts';
import { factorsOf, type Factor } from './factor.ts';
import { finishOf } from './finish.ts';
import { headerOf } from './header.ts';
import { liesAlongK, Slab } from './slab.ts';
import { SUM_BLOCK, Sums } from './sums.ts';
import { sum, times } from './text.ts';

/** How the work is shared out. */
export interface WorkgroupTile {
  /** Sums of a workgroup. */
  readonly rows: number;
  readonly columns: number;
  /** Steps along k that are in workgroup memory: a multiple of 4 that divides `SUM_BLOCK`. */
  readonly inner: number;
  /** Rows and columns of an invocation: 4 or 8. */
  readonly own: { readonly rows: number; readonly columns: number };
  readonly buffers: 1 | 2;
  /** Whether arrays are loaded four elements at a time where that can be. */
  readonly vectors: boolean;
}

/** Invocations of a workgroup. */
export function invocationsOf({ rows, columns, own }: WorkgroupTile): number {
  return (rows * columns) / (own.rows * own.columns);
}
/** Bytes of workgroup memory. */
export function bytesOf({ rows, columns, inner, buffers }: WorkgroupTile): number {
  return 4 * (rows + columns) * inner * buffers;
}
/** Workgroups of a product. */
export function workgroupsOf({ batch, m, n }: ContractKernel, { rows, columns }: WorkgroupTile): number {
  return sizeOf(batch) * Math.ceil(m / rows) * Math.ceil(n / columns);
}

/** Whether a factor's array can be declared as vectors: lines of vectors begin and end with whole ones, and nobody else reads single elements of it. */
function isVectorArray(kernel: ContractKernel, { name, operand, index, steps }: Factor, layout: OperandLayout): boolean {
  const { m, n, k, batch, stores } = kernel;
  const shared = layout.shares[operand]!;
  if (steps === null || layout.packed.has(shared) || shared !== operand || kernel.operands[operand]!.length % 4 !== 0) return false;
  const alongK = liesAlongK({ name, operand, index, steps } as Factor);
  const [axis, extent] = alongK ? [batch.length + 2, k] : name === 'left' ? [batch.length, m] : [batch.length + 1, n];
  const isWhole = ({ offset, terms }: Index): boolean =>
    offset % 4 === 0 && terms.every(({ factor, atom }) => factor % 4 === 0 || (factor === 1 && atom.kind === 'axis' && atom.axis === axis));
  const isOurs = (other: number): boolean => layout.shares[other] !== shared;
  const touches = (scalar: Scalar): boolean => (scalar.op === 'load' || scalar.op === 'gather') && !isOurs(scalar.operand);
  const others = kernel.operands.every((_, other) => other === operand || isOurs(other));
  return (
    extent % 4 === 0 &&
    (alongK ? steps.inner : steps.own) === 1 &&
    isWhole(index) &&
    others &&
    !scalarsIn(stores.map(({ value }) => value)).some(touches)
  );
}

/** The shader of a product. */
export function workgroupTileShader(kernel: ContractKernel, layout: OperandLayout, tile: WorkgroupTile): Shader {
  const { batch, m, n, dtype } = kernel;
  const { rows, columns, inner, own, buffers } = tile;
  const factors = factorsOf(kernel);
  const canBeVectors = factors.map((factor) => tile.vectors && isVectorArray(kernel, factor, layout));
  // An array that is both factors is declared in one way.
  const isVector = factors.map(({ operand }) => factors.every((other, each) => other.operand !== operand || canBeVectors[each]!));
  const vectors = new Set(factors.filter((_, each) => isVector[each]!).map(({ operand }) => operand));
  const finish = finishOf(kernel, layout, { rows: m % rows !== 0, columns: n % columns !== 0 }, vectors);
  const { expressions } = finish;
  const size = invocationsOf(tile);
  const workgroups = workgroupsOf(kernel, tile);
  const across = columns / own.columns;
  const [down, right] = [Math.ceil(m / rows), Math.ceil(n / columns)];

  const body = new Block(1);
  if (workgroups > GROUP_ROW) body.nest(`if (group >= ${workgroups})`).line('return;');
  if (batch.length > 0) {
    body.line(`let matrix = group / ${down * right};`);
    declareAxes(body, 0, batch, 'matrix');
  }
  body.line(
    `let row = ${down === 1 ? '0' : times(rows, `group / ${right} % ${down}`)};`,
    `let column = ${right === 1 ? '0' : times(columns, `group % ${right}`)};`,
    `let down = lane / ${across};`,
    `let across = lane % ${across};`,
  );
  const type = elementType(dtype);
  const common = { kernel, expressions, type, inner };
  const slabs = [
    new Slab({ ...common, factor: factors[0], isVector: isVector[0]!, size: rows, count: own.rows, place: 'down' }),
    new Slab({ ...common, factor: factors[1], isVector: isVector[1]!, size: columns, count: own.columns, place: 'across' }),
  ] as const;
  const sums = new Sums(type, own.rows, own.columns);
  addUp(body, kernel, tile, sums, slabs);
  sums.forEach(body, (each, other, total) => {
    const [rowOf, columnOf] = [slabs[0].position(each), slabs[1].position(Number(other))];
    return finish.call(sum('row', rowOf), sum('column', columnOf), total);
  });

  return shaderOf({
    expressions,
    size,
    workgroups,
    body,
    header: headerOf(
      kernel,
      `a workgroup has ${rows} × ${columns} sums, an invocation ${own.rows} × ${own.columns}; ${inner} steps along k are in workgroup memory`,
    ),
    declarations: [
      ...factors.flatMap(({ declaration }) => declaration ?? []),
      ...slabs.flatMap((slab) => slab.declarations(buffers)),
      finish.declaration,
    ],
  });
}

/** The loops over k. */
function addUp(body: Block, { k, dtype }: ContractKernel, tile: WorkgroupTile, sums: Sums, slabs: readonly [Slab, Slab]): void {
  const { inner, buffers } = tile;
  const size = invocationsOf(tile);
  const firsts = ['row', 'column'] as const;
  /** Every vector that an invocation loads: of which slab, from which corner, and which. */
  const loads = slabs.flatMap((slab, side) =>
    range(Math.ceil(slab.vectors / size)).map((each) => ({
      slab,
      first: firsts[side]!,
      vector: sum('lane', size * each),
      name: `${slab.name}_next${each}`,
    })),
  );
  const begin = (slab: Slab): string => (buffers === 1 ? '0' : times(slab.vectors, 'buffer'));
  const fill = (block: Block, step: string): void => {
    for (const { slab, first, vector } of loads) block.line(slab.store(begin(slab), vector, slab.load(first, step, vector)));
  };
  const isLong = k > SUM_BLOCK && dtype === 'float32';
  const prefix = isLong ? 'part' : 'sum';

  sums.declare(body, 'sum');
  if (buffers === 2) {
    body.line('var buffer = 0;');
    fill(body, '0');
    body.line('workgroupBarrier();');
  }
  const outer = isLong ? body.nest(`for (var begin = 0; begin < ${k}; begin += ${SUM_BLOCK})`) : body;
  if (isLong) sums.declare(outer, 'part');
  const end = !isLong ? String(k) : k % SUM_BLOCK === 0 ? `begin + ${SUM_BLOCK}` : `min(begin + ${SUM_BLOCK}, ${k})`;
  const loop = outer.nest(`for (var inner = ${isLong ? 'begin' : '0'}; inner < ${end}; inner += ${inner})`);
  if (buffers === 1) {
    fill(loop, 'inner');
    loop.line('workgroupBarrier();');
  } else {
    for (const { name } of loads) loop.line(`var ${name}: vec4<${elementType(dtype)}>;`);
    const ahead = loop.nest(`if (inner + ${inner} < ${k})`);
    for (const { slab, first, vector, name } of loads) ahead.line(`${name} = ${slab.load(first, `inner + ${inner}`, vector)};`);
  }
  const quads = loop.nest(`for (var quad = 0; quad < ${inner / 4}; quad++)`);
  const [left, right] = slabs.map((slab) => slab.read(quads, begin(slab), 'quad'));
  for (const step of range(4))
    sums.addProducts(
      quads,
      prefix,
      step,
      (row) => left!.one(row, step),
      (column) => right!.four(column, step),
    );
  if (buffers === 2) {
    loop.line('buffer = 1 - buffer;');
    for (const { slab, vector, name } of loads) loop.line(slab.store(begin(slab), vector, name));
  }
  loop.line('workgroupBarrier();');
  if (isLong) sums.add(outer, 'sum', 'part');
}
