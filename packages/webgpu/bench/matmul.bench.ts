/**
 * Matrix products as WGSL: GFLOP/s (two operations per multiply-add), and milliseconds of compiling. First
 * the two ladders, whose rungs are the real kernels with other numbers: register tiles, for adapters that
 * compute in software, and tiles in workgroup memory, for hardware; then products as networks have them, by
 * the kernels that are chosen.
 *
 * Both ladders on SwiftShader, 256 × 256 × 256, two cores of a busy machine (an idle one is nearly twice as
 * fast):
 *
 *   one sum of an invocation, one step            0.38    one sum                                    0.33
 *   four steps in an iteration                     0.44    64 × 64 sums in workgroup memory           0.43
 *   4 × 4 sums                                     1.13    loads of four                              0.57
 *   8 × 4 sums                                     1.97    two buffers                                0.44
 *   lanes broadcast what they loaded               2.89    128 × 128 sums, 8 × 8 of an invocation     0.94
 *   8 × 8 sums                                     3.44
 *   16 × 8 sums                                    4.54
 *
 * There every barrier costs, and workgroup memory is no nearer than the arrays; the second ladder is for
 * hardware, where it has not been measured yet: FIRSTHAND_GPU=hardware does it.
 */
import type { ContractKernel } from '@firsthand/compiler';
import { sizeOf } from '@firsthand/linalg';
import { planMatmul } from '../src/matmul/plan-matmul.ts';
import { registerTileShader, type RegisterTile } from '../src/matmul/register-tile.ts';
import { workgroupTileShader, type WorkgroupTile } from '../src/matmul/workgroup-tile.ts';
import type { Shader } from '../src/emit/shader.ts';
import { productKernel, type Product } from '../test/support/product-kernel.ts';
import { plainLayout } from '../test/support/run-shader.ts';
import { openDevice, timed, type Timed } from './support/adapter.ts';

/** Milliseconds for each kernel, at the least. */
const MILLISECONDS = 150;

type Rung = readonly [name: string, shader: (kernel: ContractKernel) => Shader];

const register =
  (tile: Partial<RegisterTile>) =>
  (kernel: ContractKernel): Shader =>
    registerTileShader(kernel, plainLayout(kernel.operands), {
      lanes: 'n',
      width: 4,
      rows: 1,
      columns: 1,
      unroll: 1,
      broadcasts: false,
      ...tile,
    });

const IN_SOFTWARE: readonly Rung[] = [
  ['one sum, one step', register({})],
  ['four steps in an iteration', register({ unroll: 4 })],
  ['4 × 4 sums', register({ unroll: 4, rows: 4, columns: 4 })],
  ['8 × 4 sums', register({ unroll: 4, rows: 8, columns: 4 })],
  ['lanes broadcast what they loaded', register({ unroll: 4, rows: 8, columns: 4, broadcasts: true })],
  ['8 × 8 sums', register({ unroll: 4, rows: 8, columns: 8, broadcasts: true })],
  ['16 × 8 sums', register({ unroll: 4, rows: 16, columns: 8, broadcasts: true })],
];

const workgroup =
  (tile: Partial<WorkgroupTile>) =>
  (kernel: ContractKernel): Shader =>
    workgroupTileShader(kernel, plainLayout(kernel.operands), {
      rows: 64,
      columns: 64,
      depth: 16,
      perInvocation: { rows: 4, columns: 4 },
      buffers: 1,
      vectors: false,
      ...tile,
    });

const ON_HARDWARE: readonly Rung[] = [
  ['one sum', register({ width: 64 })],
  ['64 × 64 sums in workgroup memory', workgroup({})],
  ['loads of four', workgroup({ vectors: true })],
  ['two buffers', workgroup({ vectors: true, buffers: 2 })],
  [
    '128 × 128 sums, 8 × 8 of an invocation',
    workgroup({
      vectors: true,
      buffers: 2,
      rows: 128,
      columns: 128,
      depth: 8,
      perInvocation: { rows: 8, columns: 8 },
    }),
  ],
];

const square = (size: number): Product => ({ m: size, k: size, n: size });
const PRODUCTS: readonly Product[] = [
  ...[64, 128, 256, 512, 1024].map(square),
  { m: 256, k: 384, n: 1536 },
  { batch: [32], m: 64, k: 64, n: 256 },
  ...['a', 'b', 'ab'].map((transposed) => ({ ...square(256), transposed })),
  // A small network's step: forward, gradient of the weights, gradient of the inputs.
  { m: 64, k: 784, n: 128, transposed: 'b' },
  { m: 128, k: 64, n: 784, transposed: 'a' },
  { m: 64, k: 128, n: 10, transposed: 'b' },
  { m: 10, k: 64, n: 128, transposed: 'a' },
  { m: 64, k: 10, n: 128 },
  // A small transformer's: linear layers, then attention.
  { m: 512, k: 128, n: 384, transposed: 'b' },
  { m: 384, k: 512, n: 128, transposed: 'a' },
  { m: 512, k: 512, n: 128 },
  { batch: [32], m: 64, k: 32, n: 64, transposed: 'b' },
  { batch: [32], m: 64, k: 64, n: 32 },
  { m: 1, k: 512, n: 512 },
  { m: 1, k: 512, n: 512, transposed: 'b' },
  { batch: [1000], m: 4, k: 4, n: 4 },
  { m: 512, k: 2048, n: 512 },
  { ...square(256), dtype: 'int32' },
];

const operationsOf = ({ batch, m, n, k }: ContractKernel): number => 2 * sizeOf(batch) * m * n * k;

function nameOf({ batch = [], m, k, n, transposed = '', dtype = 'float32' }: Product): string {
  const [left, right] = ['a', 'b'].map((name) => (transposed.includes(name) ? 'ᵀ' : ''));
  return `${batch.map((extent) => `${extent}·`).join('')}(${m} × ${k})${left} (${k} × ${n})${right}${dtype === 'float32' ? '' : ` ${dtype}`}`;
}

/** GFLOP/s of each, the best of many interleaved runs. */
async function ratesOf(races: readonly Timed[], operations: number): Promise<readonly number[]> {
  const times = Math.max(1, Math.floor(5e7 / operations));
  const best = races.map(() => Infinity);
  for (const { run } of races) await run(1);
  const until = performance.now() + MILLISECONDS * races.length;
  do for (const [race, { run }] of races.entries()) best[race] = Math.min(best[race]!, await run(times));
  while (performance.now() < until);
  return best.map((milliseconds) => operations / milliseconds / 1e6);
}

async function report(
  device: GPUDevice,
  kernel: ContractKernel,
  shaders: readonly (readonly [string, Shader])[],
): Promise<void> {
  const races: Timed[] = [];
  for (const [name, shader] of shaders) races.push(await timed(device, name, kernel, shader));
  const rates = await ratesOf(races, operationsOf(kernel));
  races.forEach(({ name, compiling, close }, race) => {
    console.log(
      `${name.padEnd(40)} ${rates[race]!.toFixed(2).padStart(8)} GFLOP/s, compiled in ${compiling.toFixed(0).padStart(4)} ms`,
    );
    close();
  });
}

const { device, profile } = await openDevice();
const ladder = productKernel(square(256));
console.log(`## Register tiles, 256 × 256 × 256, on ${profile.name}\n`);
await report(
  device,
  ladder,
  IN_SOFTWARE.filter(([name]) => profile.subgroups?.most === 4 || !/broadcast/.test(name)).map(
    ([name, shader]) => [name, shader(ladder)],
  ),
);
console.log(`\n## Tiles in workgroup memory, 256 × 256 × 256, on ${profile.name}\n`);
await report(
  device,
  ladder,
  ON_HARDWARE.map(([name, shader]) => [name, shader(ladder)]),
);
console.log(`\n## The kernels that are chosen on ${profile.name}\n`);
for (const p of PRODUCTS) {
  const kernel = productKernel(p);
  await report(device, kernel, [
    [nameOf(p), planMatmul(kernel, profile).emit(plainLayout(kernel.operands))[0]!],
  ]);
}
device.destroy();
process.exit();
