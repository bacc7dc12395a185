/**
 * Matrix-vector products, m = 1 or n = 1, on hardware. They are bound by memory: nothing but the vector is
 * reused, so neighbouring invocations load neighbouring elements, along the outer axis or along k. A
 * workgroup is a grid of outer positions by slices of k; the sums of a position are reduced by a tree in
 * workgroup memory.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { Block } from '../emit/block.ts';
import { shaderOf } from '../emit/module.ts';
import { elementType } from '../scalar/operations.ts';
import type { OperandLayout, Shader } from '../emit/shader.ts';
import { ElementReader, matrixOperandsOf } from './matrix-operand.ts';
import { epilogueOf } from './epilogue.ts';
import { headerOf } from './header.ts';
import { isContiguousAlongK } from './shared-tile.ts';
import { SUM_BLOCK } from './accumulator-tile.ts';
import { divText, modText, addText, mulText } from '../emit/text.ts';
import { declareTile, edgesOf, tileCount } from './tile-grid.ts';

/** Invocations of a workgroup, and those along k: few where the outer axis is contiguous, many where k is. */
const SIZE = 256;
const K_SLICES = { outer: 4, k: 64 } as const;

/** The least power of two that is not below a number, at most `most`. */
function powerOfTwo(number: number, most: number): number {
  return Math.min(most, 2 ** Math.ceil(Math.log2(number)));
}

/** The shader of a product with m = 1 or n = 1. */
export function matrixVectorShader(kernel: ContractKernel, layout: OperandLayout): Shader {
  const { m, n, k, dtype } = kernel;
  const [left, right] = matrixOperandsOf(kernel);
  const [vector, matrix, extent] = m === 1 ? [left, right, n] : [right, left, m];
  const alongK = isContiguousAlongK(matrix);
  const wanted = powerOfTwo(k, alongK ? K_SLICES.k : K_SLICES.outer);
  const positions = powerOfTwo(extent, SIZE / wanted);
  const slices = powerOfTwo(k, SIZE / positions);
  const size = positions * slices;
  const tile = m === 1 ? { rows: 1, columns: positions } : { rows: positions, columns: 1 };
  const epilogue = epilogueOf(kernel, layout, edgesOf(kernel, tile));
  const { expressions } = epilogue;
  const type = elementType(dtype);

  const body = new Block(1);
  declareTile(body, kernel, tile);
  const [slice, position] = alongK
    ? [modText('lane', slices), divText('lane', slices)]
    : [divText('lane', positions), modText('lane', positions)];
  body.line(`let slice = ${slice};`, `let position = ${addText(m === 1 ? 'column' : 'row', position)};`);
  const at = { step: 1, count: 1 };
  const elements = new ElementReader(
    matrix,
    { ...at, first: 'position', clampedTo: extent % positions === 0 ? null : extent - 1 },
    expressions,
    body,
  );
  const factors = new ElementReader(vector, { ...at, first: '0', clampedTo: null }, expressions, body);
  const addTo = (block: Block, total: string): void => {
    const [element, factor] = [elements, factors].map((each) => each.loadsAt(block, 'inner')(0));
    block.line(`${total} += ${factor!} * ${element!};`);
  };
  body.line(`var sum = ${type}();`);
  const perBlock = SUM_BLOCK * slices;
  if (k > perBlock && dtype === 'float32') {
    const outer = body.open(`for (var begin = slice; begin < ${k}; begin += ${perBlock})`);
    outer.line(`var block = ${type}();`);
    addTo(
      outer.open(`for (var inner = begin; inner < min(begin + ${perBlock}, ${k}); inner += ${slices})`),
      'block',
    );
    outer.line('sum += block;');
  } else {
    addTo(body.open(`for (var inner = slice; inner < ${k}; inner += ${slices})`), 'sum');
  }
  const distance = alongK ? 1 : positions;
  if (slices > 1) {
    body.line('partials[lane] = sum;');
    const tree = body.open(`for (var half = ${slices / 2}; half > 0; half /= 2)`);
    tree.line('workgroupBarrier();');
    tree.open('if (slice < half)').line(`partials[lane] += partials[lane + ${mulText(distance, 'half')}];`);
  }
  const last = slices === 1 ? body : body.open('if (slice == 0)');
  const total = slices === 1 ? 'sum' : 'partials[lane]';
  last.line(m === 1 ? epilogue.call('row', 'position', total) : epilogue.call('position', 'column', total));

  return shaderOf({
    expressions,
    size,
    workgroups: tileCount(kernel, tile),
    body,
    header: headerOf(
      kernel,
      `a workgroup has ${positions} sums, each of which is reduced by ${slices} invocations`,
    ),
    declarations: [
      ...[left, right].flatMap(({ declaration }) => declaration ?? []),
      ...(slices > 1 ? [`var<workgroup> partials: array<${type}, ${size}>;`] : []),
      epilogue.declaration,
    ],
  });
}
