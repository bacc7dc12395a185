/**
 * Matrix products against the textbook's triple loop, both measured here and now: GFLOP/s (two operations per
 * multiply-add) and their ratio. The second table holds the shapes of a small network's training step,
 * transposed operands included.
 */
import { Generator, matmul, type NDArray } from '../src/index.ts';
import { bestOf } from './support/measure.ts';

function naive(a: Float32Array, b: Float32Array, c: Float32Array, m: number, k: number, n: number): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[i * k + p]! * b[p * n + j]!;
      c[i * n + j] = sum;
    }
  }
}

const random = new Generator(1);

function compare(name: string, a: NDArray, b: NDArray): void {
  const [m, k] = a.shape as [number, number];
  const n = b.shape[1]!;
  const [p, q] = [a.contiguous().data as Float32Array, b.contiguous().data as Float32Array];
  const c = new Float32Array(m * n);
  const runs = m * k * n > 5e7 ? 5 : 30;
  const plain = bestOf(Math.min(runs, 5), () => naive(p, q, c, m, k, n));
  const ours = bestOf(runs, () => matmul(a, b));
  const rate = (milliseconds: number): string =>
    ((2 * m * k * n) / milliseconds / 1e6).toFixed(2).padStart(5);
  console.log(
    `${name.padEnd(34)} ${rate(ours)} GFLOP/s, naive ${rate(plain)}, ratio ${(plain / ours).toFixed(2)} (${ours.toFixed(3)} ms)`,
  );
}

for (const size of [64, 128, 256, 512])
  compare(`float32 ${size}³`, random.normal([size, size]), random.normal([size, size]));
const wide = (shape: number[]): NDArray => random.normal(shape, { dtype: 'float64' });
compare('float64 512³', wide([512, 512]), wide([512, 512]));
compare('[64, 784] · [784, 128]', random.normal([64, 784]), random.normal([784, 128]));
compare('[64, 784]ᵀ · [64, 128]', random.normal([64, 784]).transpose(), random.normal([64, 128]));
compare('[64, 128] · [784, 128]ᵀ', random.normal([64, 128]), random.normal([784, 128]).transpose());
compare('[64, 128] · [128, 10]', random.normal([64, 128]), random.normal([128, 10]));
compare('[1, 784] · [784, 128]', random.normal([1, 784]), random.normal([784, 128]));
compare('[512, 512] · [512, 1]', random.normal([512, 512]), random.normal([512, 1]));
