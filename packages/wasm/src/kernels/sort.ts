/**
 * Merge sort: each value becomes an integer that orders as the values do (its bits, with those of negative
 * numbers inverted; NaN the largest), paired with its index, and these words are merged, runs of 1, 2, 4, …
 * into runs twice as long, between two halves of the working memory. The left of equals comes first, so the
 * order is stable.
 */
import type { SortKernel } from '@firsthand/compiler';
import type { DType } from '@firsthand/linalg';
import type { Code, Local } from '../assembler/code.ts';
import type { Tools } from '../scalar/functions.ts';
import type { WasmKernelPlan } from './kernel-plan.ts';
import { widthOf } from './loop-plan.ts';
import { LoopNest } from './loop-nest.ts';
import { partitionAxis, mostEven, type AxisRange } from '../threads/partition.ts';
import { REGISTERS } from '../scalar/registers.ts';

/** Bytes of a key with its position: 32 bits each, or 64 bits each for float64. */
function wordBytes({ value }: SortKernel): 8 | 16 {
  return value.dtype === 'float64' ? 16 : 8;
}

/**
 * Bytes of each half of the working memory: the words, and one more that merging may read but never takes.
 */
function halfBytes(kernel: SortKernel): number {
  return (kernel.count + 1) * wordBytes(kernel);
}

/** Plans a sort kernel: threads share rows. */
export function planSortKernel(kernel: SortKernel): WasmKernelPlan<Tools> {
  return {
    scratch: 2 * halfBytes(kernel),
    partition: mostEven(kernel.rows.map((extent, axis) => partitionAxis(axis, extent, 1))),
    emit: (code, params, tools, range) => emitSort(code, kernel, params, tools, range),
  };
}

function emitSort(
  code: Code,
  kernel: SortKernel,
  params: readonly Local[],
  tools: Tools,
  range: AxisRange | null,
): void {
  const { rows, count, operands, value, target, descending } = kernel;
  const scratch = params[operands.length]!;
  const axis = rows.length;
  const width = widthOf(kernel);
  const all = { scalars: [value], stores: [] };
  const extents = [...rows, count];
  const loops = new LoopNest({
    code,
    tools,
    operands,
    addresses: params,
    extents,
    rows: axis,
    laneAxis: axis,
    width,
    range: range,
    all,
  });
  const { emitter, scope } = loops;
  const size = wordBytes(kernel);
  const address = code.local('i32');
  /** Sets `address` to the word of the first lane, in the half of the memory that begins at `from`. */
  const locate = (from: Local): void => {
    const counter = scope.axes[axis]!;
    if (typeof counter === 'number') code.i32(counter * size);
    else code.op('i32.shl', counter, Math.log2(size));
    code.op('i32.add', from).set(address);
  };
  const outer = rows.map((_, each) => each);
  loops.over(outer, all, () => {
    loops.blocks(1, all, (block) => {
      loops.each(block, all, (vector, lanes) => {
        emitter.withLocals([value], vector, (element) => {
          const [keys, positions] = [code.local('v128'), code.local('v128')];
          putKeys(code, value.dtype, descending, element);
          code.set(keys);
          emitter.putIndices(
            { offset: 0, terms: [{ coefficient: 1, atom: { kind: 'axis', axis } }] },
            block[vector]!,
          );
          code.set(positions);
          locate(scratch);
          storeWords(code, size, address, keys, positions, lanes);
          code.release(keys, positions);
        });
      });
    });
    const sorted = merge(code, scratch, halfBytes(kernel), count * size, size);
    const array = { operand: operands[target.operand]!, address: params[target.operand]! };
    loops.blocks(1, all, (block) => {
      emitter.block = block;
      emitter.access.prepare(array, target.index);
      block.forEach((vector) => {
        const positions = code.local('v128');
        locate(sorted);
        loadPositions(code, size, address, vector.lanes);
        code.set(positions);
        emitter.access.store(array, target.index, vector, positions);
        code.release(positions);
      });
    });
    code.release(sorted);
  });
  code.release(address);
}

/** Pushes keys: as signed integers they are in the order of the values. */
function putKeys(code: Code, dtype: DType, descending: boolean, x: Local): void {
  const register = REGISTERS[dtype];
  if (register === 'f32' || register === 'f64') {
    const [shape, integers, bits] =
      register === 'f32' ? (['f32x4', 'i32x4', 31] as const) : (['f64x2', 'i64x2', 63] as const);
    const key = code.local('v128');
    // Adding 0 makes 0 of −0.
    code
      .get(x)
      .i32x4(0)
      .op(`${shape}.add`)
      .tee(key)
      .op(`${integers}.shr_s`, key, bits)
      .op(`${integers}.shr_u`, 1)
      .op('v128.xor');
    if (descending) code.op('v128.not');
    code.set(key);
    const largest = register === 'f32' ? [255, 255, 255, 127] : [255, 255, 255, 255, 255, 255, 255, 127];
    code.v128(largest).get(key).op(`${shape}.ne`, x, x).op('v128.bitselect').release(key);
    return;
  }
  code.get(x);
  if (register === 'u32') code.i32x4(0x80000000).op('v128.xor');
  // A mask is −1 where it is true, and true comes after false.
  if ((register === 'mask') !== descending) code.op('v128.not');
}

/** Stores keys with their indices, the key in the upper half of each word so that it decides. */
function storeWords(
  code: Code,
  size: 8 | 16,
  address: Local,
  keys: Local,
  positions: Local,
  lanes: number,
): void {
  const word = code.local('v128');
  if (size === 8) {
    [0, 1].forEach((half) => {
      const present = lanes - 2 * half;
      if (present <= 0) return;
      code
        .get(positions)
        .get(keys)
        .shuffle32([2 * half, 2 * half + 4, 2 * half + 1, 2 * half + 5] as [number, number, number, number])
        .set(word);
      if (present > 1)
        code
          .get(address)
          .get(word)
          .memory('v128.store', 16 * half);
      else
        code
          .get(address)
          .get(word)
          .laneMemory('v128.store64_lane', 0, 16 * half);
    });
  } else {
    for (let lane = 0; lane < lanes; lane++) {
      code
        .get(keys)
        .get(positions)
        .shuffle32([2 * lane, 2 * lane + 1, 4 + lane, 4 + lane])
        .set(word);
      code
        .get(address)
        .get(word)
        .memory('v128.store', 16 * lane);
    }
  }
  code.release(word);
}

/** Pushes the indices of some words, as i32x4. */
function loadPositions(code: Code, size: 8 | 16, address: Local, lanes: number): void {
  const at = size === 8 ? 0 : 8;
  for (let lane = lanes - 1; lane > 0; lane--) code.get(address);
  code.get(address).memory('v128.load32_zero', at);
  for (let lane = 1; lane < lanes; lane++) code.laneMemory('v128.load32_lane', lane, at + lane * size);
}

/**
 * Sorts the words at the start of the working memory.
 * @param half bytes between the two halves
 * @param bytes of all words
 * @returns a local with the address of the half that holds the sorted words; the caller releases it
 */
function merge(code: Code, scratch: Local, half: number, bytes: number, size: 8 | 16): Local {
  const names = [
    'from',
    'to',
    'run',
    'end',
    'left',
    'right',
    'leftEnd',
    'rightEnd',
    'out',
    'isLeft',
    'swap',
  ] as const;
  const local = Object.fromEntries(names.map((name) => [name, code.local('i32')])) as Record<
    (typeof names)[number],
    Local
  >;
  const { from, to, run, end, left, right, leftEnd, rightEnd, out, isLeft, swap } = local;
  /** start + run, but not beyond `end` */
  const advance = (start: Local, result: Local): void => {
    code
      .op('i32.add', start, run)
      .get(end)
      .get(run)
      .op('i32.sub', end, start)
      .op('i32.lt_u')
      .op('select')
      .set(result);
  };
  code.get(scratch).set(from).op('i32.add', scratch, half).set(to).i32(size).set(run);
  code.block((done) => {
    code.loop((again) => {
      code.op('i32.ge_u', run, bytes).branchIf(done);
      code.op('i32.add', from, bytes).set(end).get(from).set(rightEnd).get(to).set(out);
      code.loop((nextRuns) => {
        code.get(rightEnd).set(left);
        advance(left, leftEnd);
        code.get(leftEnd).set(right);
        advance(right, rightEnd);
        code.loop((nextWord) => {
          // The left word comes first if there is one, and either no right one or a larger or equal one.
          code
            .get(left)
            .memory('i64.load')
            .get(right)
            .memory('i64.load')
            .op('i64.le_s')
            .op('i32.ge_u', right, rightEnd)
            .op('i32.or');
          code.op('i32.lt_u', left, leftEnd).op('i32.and').set(isLeft);
          code.get(out).op('select', left, right, isLeft);
          if (size === 8) code.memory('i64.load').memory('i64.store');
          else code.memory('v128.load').memory('v128.store');
          code.get(left).op('i32.shl', isLeft, Math.log2(size)).op('i32.add').set(left);
          code
            .get(right)
            .i32(size)
            .op('i32.shl', isLeft, Math.log2(size))
            .op('i32.sub')
            .op('i32.add')
            .set(right);
          code.op('i32.add', out, size).set(out);
          code.op('i32.lt_u', left, leftEnd).op('i32.lt_u', right, rightEnd).op('i32.or').branchIf(nextWord);
        });
        code.op('i32.lt_u', rightEnd, end).branchIf(nextRuns);
      });
      code.get(from).set(swap).get(to).set(from).get(swap).set(to);
      code.op('i32.shl', run, 1).set(run).branch(again);
    });
  });
  code.release(to, run, end, left, right, leftEnd, rightEnd, out, isLeft, swap);
  return from;
}
