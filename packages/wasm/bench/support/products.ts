/** Matrix products as kernels with memory of their own, filled with random numbers. */
import type { ContractKernel, Index } from '@firsthand/compiler';
import { Generator, type DType } from '@firsthand/linalg';
import { Module } from '../../src/assembler/module.ts';
import { planMatmulKernel } from '../../src/matmul/matmul.ts';
import type { Tile } from '../../src/matmul/register-tile.ts';
import type { Features } from '../../src/engine/features.ts';

/** [batch, m, k] · [batch, k, n]; transposed operands are stored with their last two axes exchanged. */
export interface Product {
  readonly batch?: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposed?: 'a' | 'b' | 'ab';
  /** Operands of which `count` of the batch stand side by side, as heads do, in rows of `pitch` elements. */
  readonly heads?: { readonly of: 'ab' | 'b'; readonly count: number; readonly pitch: number };
  readonly dtype?: DType;
}

/** A product that can be run. */
export interface BuiltProduct {
  readonly name: string;
  readonly dtype: DType;
  readonly operations: number;
  readonly run: () => void;
}

function indexOf(factors: readonly number[]): Index {
  return {
    offset: 0,
    terms: factors.flatMap((factor, axis) =>
      factor === 0 ? [] : [{ coefficient: factor, atom: { kind: 'axis', axis } }],
    ),
  };
}

/** The kernel of a product, and its operands' lengths. */
function kernelOf({ batch = 1, m, k, n, transposed, heads, dtype = 'float32' }: Product): ContractKernel {
  const count = heads?.count ?? 1;
  const groups = batch / count;
  /** Strides by group, head, row and column. */
  const layoutOf = (
    name: 'a' | 'b',
    rows: number,
    columns: number,
  ): { readonly strides: readonly number[]; readonly length: number } => {
    const isTransposed = transposed?.includes(name) === true;
    const [outer, inner] = isTransposed ? [columns, rows] : [rows, columns];
    const isBeside = heads?.of.includes(name) === true;
    const pitch = isBeside ? heads.pitch : inner;
    const [group, head] = isBeside ? [outer * pitch, inner] : [count * outer * inner, outer * inner];
    return {
      strides: [group, head, isTransposed ? 1 : pitch, isTransposed ? pitch : 1],
      length: groups * group,
    };
  };
  const a = layoutOf('a', m, k);
  const b = layoutOf('b', k, n);
  return {
    kind: 'contract',
    operands: [
      { dtype, length: a.length, access: 'read' },
      { dtype, length: b.length, access: 'read' },
      { dtype, length: batch * m * n, access: 'write' },
    ],
    batch: [groups, count],
    m,
    n,
    k,
    dtype,
    a: { operand: 0, index: indexOf([a.strides[0]!, a.strides[1]!, a.strides[2]!, 0, a.strides[3]!]) },
    b: { operand: 1, index: indexOf([b.strides[0]!, b.strides[1]!, 0, b.strides[3]!, b.strides[2]!]) },
    stores: [{ operand: 2, index: indexOf([count * m * n, m * n, n, 1]), value: { op: 'total', dtype } }],
    rowEpilogue: null,
  };
}

function nameOf({ batch, m, k, n, transposed, dtype, heads }: Product): string {
  const words = [batch === undefined ? '' : `${batch} × `, `${m} × ${k} × ${n}`];
  const marks = { a: ' AᵀB', b: ' ABᵀ', ab: ' AᵀBᵀ' };
  return (
    words.join('') +
    (transposed === undefined ? '' : marks[transposed]) +
    (heads === undefined ? '' : ' heads') +
    (dtype === undefined ? '' : ` ${dtype}`)
  );
}

/** Builds products into one module, as a device does. Times in milliseconds. */
export function buildProducts(
  products: readonly Product[],
  features: Features,
  tile: Tile,
): {
  readonly kernels: readonly BuiltProduct[];
  readonly bytes: number;
  readonly assembled: number;
  readonly compiled: number;
} {
  const start = performance.now();
  const kernels = products.map(kernelOf);
  const sizeOf = (kernel: ContractKernel): number =>
    kernel.operands.reduce((sum, { length }) => sum + 8 * length, planMatmulKernel(kernel, tile).scratch) +
    4096;
  const pages = Math.ceil(Math.max(...kernels.map(sizeOf)) / 65536);
  const module = new Module({ initial: pages, maximum: pages, shared: false });
  const tools = { features, functions: new Map(), module };
  kernels.forEach((kernel, index) => {
    const params = new Array<'i32'>(kernel.operands.length + 1).fill('i32');
    module.function(
      `product${index}`,
      { params, results: [] },
      (code, locals) => planMatmulKernel(kernel, tile).emit(code, locals, tools, null),
      {
        exported: true,
      },
    );
  });
  const bytes = module.toBytes();
  const assembled = performance.now() - start;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const compileStart = performance.now();
  const compiledModule = new WebAssembly.Module(bytes);
  const compiled = performance.now() - compileStart;
  const numbers = new Generator(1).normal([memory.buffer.byteLength / 4]).data;
  const { exports } = new WebAssembly.Instance(compiledModule, { env: { memory } });

  const built = kernels.map((kernel, index): BuiltProduct => {
    const { dtype, operands, m, k, n } = kernel;
    const size = dtype === 'float64' ? 8 : 4;
    let at = 64;
    const addresses = operands.map(({ length }) => {
      const address = at;
      at = Math.ceil((at + length * size) / 64 + 1) * 64;
      return address;
    });
    const run = exports[`product${index}`] as (...addresses: number[]) => void;
    return {
      name: nameOf(products[index]!),
      dtype,
      operations: 2 * kernel.batch[0]! * kernel.batch[1]! * m * k * n,
      run: () => run(...addresses, at),
    };
  });
  new Float32Array(memory.buffer).set(numbers);
  return { kernels: built, bytes: bytes.length, assembled, compiled };
}
