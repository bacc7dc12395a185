/** A page that trains a network loads one file of JavaScript and no other. Its size has a limit. */
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { bundle, runProgram } from './support/run-program.ts';

/** Two classes of points in the plane, one inside a circle; a network of 2-16-2 learns which is which. */
const PROGRAM = `
  import { compile, manualSeed, setDefaultDevice, tensor } from '@firsthand/autograd';
  import { Linear, loss, Module } from '@firsthand/nn';
  import { AdamW } from '@firsthand/optim';
  import { createWasm } from '@firsthand/wasm';

  const device = await createWasm();
  setDefaultDevice(device);
  manualSeed(1);
  class MLP extends Module {
    fc1 = new Linear(2, 16);
    fc2 = new Linear(16, 2);
    forward(x) {
      return this.fc2.forward(this.fc1.forward(x).relu());
    }
  }
  const model = new MLP();
  const optimizer = new AdamW(model.parameters(), { lr: 1e-2 });
  const step = compile((x, y) => {
    const l = loss.crossEntropy(model.forward(x), y);
    l.backward();
    optimizer.step();
    optimizer.zeroGrad();
    return l;
  });
  const points = Float32Array.from({ length: 256 }, (_, i) => Math.sin(12.9898 * i + 78.233 * (i % 7)));
  const labels = Int32Array.from({ length: 128 }, (_, i) => Number(points[2 * i] ** 2 + points[2 * i + 1] ** 2 < 0.5));
  const [x, y] = [tensor(points, { shape: [128, 2] }), tensor(labels)];
  const first = step(x, y).itemSync();
  for (let i = 0; i < 300; i++) step(x, y);
  console.log(JSON.stringify({ name: device.name, first, last: step(x, y).itemSync() }));
`;

describe('a page that trains a network', () => {
  let code = '';
  beforeAll(async () => {
    code = await bundle(PROGRAM);
  });

  test('needs one file, which learns', () => {
    const { name, first, last } = JSON.parse(runProgram(code)) as {
      name: string;
      first: number;
      last: number;
    };
    expect(name).toBe('wasm');
    expect(first).toBeGreaterThan(0.4);
    expect(last).toBeLessThan(0.2);
  });

  test('loads less than 155 kB', () => {
    expect(gzipSync(code).length).toBeLessThan(155_000);
  });
});
