// The latency of a small eager expression whose shape is new, so that nothing of its program is cached:
// graph, compiler, code generation, WebAssembly compilation and one run. Prints the median and the first of
// several shapes for three expressions, with one thread and with all: milliseconds of processor time of all
// threads of the process, since the machine may have other work, and of the clock. `BENCH_SHAPES=60` sets the
// number of shapes.
import { setDefaultDevice, type Tensor, tensor } from '@firsthand/autograd';
import { createWasm } from '@firsthand/wasm';

const SHAPES = Number(process.env['BENCH_SHAPES'] ?? 60);

const EXPRESSIONS: { readonly [name: string]: (x: Tensor) => Tensor } = {
  'x·2 + 1, summed': (x) => x.mul(2).add(1).sum(),
  'softmax, summed squares': (x) => x.softmax().square().sum(),
  'x·xᵀ, relu, mean': (x) => x.matmul(x.transpose()).relu().mean(),
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

for (const threads of [1, 'auto'] as const) {
  setDefaultDevice(await createWasm({ threads }));
  let rows = 16;
  for (const [name, expression] of Object.entries(EXPRESSIONS)) {
    const [processor, clock]: [number[], number[]] = [[], []];
    for (let index = 0; index < SHAPES; index++) {
      rows++;
      const data = new Float32Array(rows * 40).fill(0.5);
      const [usage, start] = [process.cpuUsage(), performance.now()];
      await expression(tensor(data).reshape([rows, 40])).item();
      clock.push(performance.now() - start);
      const { user, system } = process.cpuUsage(usage);
      processor.push((user + system) / 1000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    console.log(
      `threads ${threads}: ${name.padEnd(24)} processor ${median(processor).toFixed(2)} ms, first ${processor[0]!.toFixed(1)} ms;`,
      `clock ${median(clock).toFixed(2)} ms, first ${clock[0]!.toFixed(1)} ms`,
    );
  }
}
