/**
 * Loops that never yield, each in a process of its own: no finalizer runs, so what nobody holds any more must
 * leave linear memory without one (rule 27). And a device that is idle keeps no process alive (rule 28).
 */
import { describe, expect, test } from 'vitest';
import { bundle, runProgram } from './support/run-program.ts';

/**
 * Runs `step(index)` so often without one turn of the event loop, and prints by how many MiB the process has
 * grown.
 */
function loop(steps: number, definition: string): string {
  return `
    import { noGrad, setDefaultDevice, tensor } from '@firsthand/autograd';
    import { createWasm } from '@firsthand/wasm';
    setDefaultDevice(await createWasm());
    ${definition}
    step(0);
    const before = process.memoryUsage().rss;
    let peak = before;
    for (let index = 1; index < ${steps}; index++) {
      step(index);
      if (index % 50 === 0) peak = Math.max(peak, process.memoryUsage().rss);
    }
    console.log(Math.round((peak - before) / 2 ** 20));`;
}

describe('a loop that never yields', () => {
  test('keeps no arguments alive: 270 MiB go through, a fraction stays', async () => {
    const training = loop(
      700,
      `const weight = tensor(new Float32Array(1000), { requiresGrad: true });
       const data = new Float32Array(100_000);
       const step = () => {
         const x = tensor(data);
         const loss = x.slice(0, 0, 1000).mul(weight).sum();
         loss.backward();
         weight.assign(weight.detach().sub(weight.grad.mul(0.1)));
         weight.grad = null;
       };`,
    );
    expect(Number(runProgram(await bundle(training)))).toBeLessThan(180);
  });

  test('keeps no results alive: 600 MiB are computed and read, a fraction stays', async () => {
    const inference = loop(
      600,
      `const x = tensor(new Float32Array(2 ** 18).fill(2));
       const step = (index) => {
         const data = noGrad(() => x.mul(tensor([index]))).dataSync();
         if (data[5] !== 2 * index) throw new Error('wrong');
       };`,
    );
    expect(Number(runProgram(await bundle(inference)))).toBeLessThan(350);
  });
});

test('an idle device keeps no process alive', async () => {
  const program = `
    import { tensor } from '@firsthand/autograd';
    import { createWasm } from '@firsthand/wasm';
    const x = tensor([1], { device: await createWasm() });
    console.log(await x.add(1).item());`;
  expect(runProgram(await bundle(program))).toBe('2\n');
});
