/**
 * Matrix products as WebAssembly: GFLOP/s (two operations per multiply-add), and per cent of the roof, which
 * is measured in the same moments. Each shape is a kernel of its own, called until the engine's optimizing
 * compiler has had its turn. First the ladder from plain loops to the kernel that is used, then every shape
 * with separate multiplications and additions, then with fused ones.
 */
import { setFlagsFromString } from 'node:v8';
import { detectFeatures } from '../src/engine/features.ts';
import { chooseTile } from '../src/matmul/choose-tile.ts';
import { tilesFor } from '../src/matmul/tile-sizes.ts';
import { buildProducts, type Product } from './support/products.ts';
import { probesOf } from './support/roofline.ts';

const MILLISECONDS = 150;

const square = (size: number): Product => ({ m: size, k: size, n: size });
const PRODUCTS: readonly Product[] = [
  ...[64, 128, 256, 512, 1024].map(square),
  { m: 256, k: 384, n: 1536 },
  { batch: 32, m: 64, k: 64, n: 256 },
  ...[64, 256, 512].flatMap((size) => [
    { ...square(size), transposed: 'b' as const },
    { ...square(size), transposed: 'a' as const },
    { ...square(size), transposed: 'ab' as const },
  ]),
  // A small network's step: forward, gradient of the weights, gradient of the inputs.
  { m: 64, k: 784, n: 128, transposed: 'b' },
  { m: 128, k: 64, n: 784, transposed: 'a' },
  { m: 64, k: 128, n: 10, transposed: 'b' },
  { m: 64, k: 10, n: 128 },
  // A small transformer's: linear layers, then attention on a [B, T, 3C] buffer.
  { m: 512, k: 128, n: 384, transposed: 'b' },
  { m: 384, k: 512, n: 128, transposed: 'a' },
  { m: 512, k: 128, n: 512 },
  { m: 512, k: 512, n: 128 },
  { batch: 32, m: 64, k: 32, n: 64, transposed: 'b', heads: { of: 'ab', count: 4, pitch: 384 } },
  { batch: 32, m: 64, k: 64, n: 32, heads: { of: 'b', count: 4, pitch: 384 } },
  { m: 1, k: 512, n: 512 },
  { m: 1, k: 512, n: 512, transposed: 'b' },
  { m: 8, k: 512, n: 512, transposed: 'b' },
  { m: 8, k: 512, n: 512 },
  { batch: 1000, m: 4, k: 4, n: 4 },
  { batch: 200, m: 16, k: 16, n: 16 },
  { m: 512, k: 2048, n: 512 },
  { ...square(256), dtype: 'float64' },
  { ...square(256), dtype: 'int32' },
];

/** Milliseconds of processor time where a run is long enough to be interrupted, else of the clock. */
function timed(run: () => void): number {
  const cpu = process.cpuUsage();
  const start = performance.now();
  run();
  const elapsed = performance.now() - start;
  if (elapsed < 3) return elapsed;
  const { user, system } = process.cpuUsage(cpu);
  return Math.min(elapsed, (user + system) / 1000);
}

/** A way to compute something, and how fast it has been. */
interface Timed {
  readonly operations: number;
  readonly run: () => void;
}

/**
 * GFLOP/s of each way, the best of many runs in turns, after a pause in which the engine may finish
 * compiling.
 */
async function ratesOf(variants: readonly Timed[]): Promise<readonly number[]> {
  const races = variants.map((variant) => ({
    ...variant,
    rounds: Math.max(1, Math.floor(1e6 / variant.operations)),
    best: Infinity,
  }));
  for (const { run } of variants) run();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const until = performance.now() + Math.max(MILLISECONDS, variants[0]!.operations / 2e6);
  do {
    for (const race of races) {
      const elapsed = timed(() => {
        for (let round = 0; round < race.rounds; round++) race.run();
      });
      race.best = Math.min(race.best, elapsed / race.rounds);
    }
  } while (performance.now() < until);
  return races.map(({ operations, best }) => operations / best / 1e6);
}

/** The same product by ever better use of registers and caches. */
async function climb(size: number): Promise<void> {
  const [a, b, c] = [0, 1, 2].map(() => new Float32Array(size * size).fill(0.5)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const plain = (): void => {
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        let sum = 0;
        for (let k = 0; k < size; k++) sum += a[i * size + k]! * b[k * size + j]!;
        c[i * size + j] = sum;
      }
    }
  };
  const tiles = [
    ['vectors of 4 columns', { rows: 1, vectors: 1, unrolls: true }],
    ['4 rows share a vector of b', { rows: 4, vectors: 1, unrolls: true }],
    ['2 vectors share an element of a', tilesFor({ relaxedSimd: false })[0]!],
  ] as const;
  const features = { relaxedSimd: false };
  const rungs = tiles.map(([, tile]) => buildProducts([square(size)], features, tile).kernels[0]!);
  const rates = await ratesOf([{ operations: 2 * size ** 3, run: plain }, ...rungs]);
  console.log(`## The ladder, ${size} × ${size} × ${size}\n`);
  ['plain loops in JavaScript', ...tiles.map(([name]) => name)].forEach((name, rung) => {
    console.log(`${name.padEnd(34)} ${rates[rung]!.toFixed(1).padStart(5)} GFLOP/s`);
  });
}

async function measure(relaxedSimd: boolean): Promise<void> {
  const features = detectFeatures(relaxedSimd);
  const start = performance.now();
  const tile = chooseTile(features);
  const chosen = (performance.now() - start).toFixed(1);
  console.log(
    `\n## ${relaxedSimd ? 'Fused' : 'Separate'} multiply-add; tile of ${tile.rows} × ${4 * tile.vectors}, chosen in ${chosen} ms`,
  );
  const { kernels, bytes, assembled, compiled } = buildProducts(PRODUCTS, features, tile);
  console.log(
    `${kernels.length} kernels, ${bytes} bytes, assembled in ${assembled.toFixed(1)} ms, compiled in ${compiled.toFixed(1)} ms\n`,
  );
  const dtypes = new Set(PRODUCTS.map(({ dtype = 'float32' }) => dtype));
  const probes = new Map([...dtypes].map((dtype) => [dtype, probesOf(dtype, relaxedSimd)]));
  for (const kernel of kernels) {
    const [rate, ...roofs] = (await ratesOf([kernel, ...probes.get(kernel.dtype)!])) as [number, ...number[]];
    const roof = Math.max(...roofs);
    const share = ((100 * rate) / roof).toFixed(0);
    console.log(
      `${kernel.name.padEnd(34)} ${rate.toFixed(1).padStart(5)} GFLOP/s, ${share} % of ${roof.toFixed(1)}`,
    );
  }
}

await climb(256);
await measure(false);
if (!detectFeatures().relaxedSimd) setFlagsFromString('--experimental-wasm-relaxed-simd');
await measure(true);
