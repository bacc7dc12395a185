// The cost of a device: many are created, run one program each, and are dropped, with `dispose` or without.
// Prints milliseconds and bytes of resident memory per device. `BENCH_DEVICES=300` sets the number,
// `BENCH_THREADS=1` the threads.
import { setDefaultDevice, tensor } from '@firsthand/autograd';
import { createWasm } from '@firsthand/wasm';

const DEVICES = Number(process.env['BENCH_DEVICES'] ?? 300);
const threads = process.env['BENCH_THREADS'] === undefined ? 'auto' : Number(process.env['BENCH_THREADS']);
const MODES: { readonly [mode: string]: { readonly disposes: boolean; readonly runs: boolean } } = {
  'created, disposed of': { disposes: true, runs: false },
  'created, dropped': { disposes: false, runs: false },
  'one program, disposed of': { disposes: true, runs: true },
  'one program, dropped': { disposes: false, runs: true },
};

const x = new Float32Array(Number(process.env['BENCH_LENGTH'] ?? 2 ** 18)).fill(1);
for (const [mode, { disposes, runs }] of Object.entries(MODES)) {
  const before = process.memoryUsage();
  let peak = before.rss;
  const start = performance.now();
  for (let index = 0; index < DEVICES; index++) {
    const device = await createWasm({ threads });
    if (runs) {
      setDefaultDevice(device);
      await tensor(x).mul(2).sum().item();
    }
    if (disposes) device.dispose();
    if (index % 10 === 9) peak = Math.max(peak, process.memoryUsage().rss);
  }
  const milliseconds = (performance.now() - start) / DEVICES;
  const kib = (peak - before.rss) / 1024 / DEVICES;
  console.log(`${mode.padEnd(26)} ${milliseconds.toFixed(3)} ms, ${kib.toFixed(0)} KiB per device`);
}
