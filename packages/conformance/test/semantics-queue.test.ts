// The queue that stands in for a GPU: it must run later, in order, fail on demand, and notice every use of
// freed storage.
import { tensor } from '@firsthand/autograd';
import { add, constant, DeviceError, leaf } from '@firsthand/graph';
import { createReference } from '@firsthand/runtime';
import type { Program } from '@firsthand/graph';
import { describe, expect, test } from 'vitest';
import { createQueued } from '../src/queued-device.ts';

const device = createQueued(createReference());

/** x ↦ x + 1 for two elements; in place when asked. */
function increment(inPlace: boolean): Program {
  const x = leaf(
    { role: 'stored', name: 'x', shape: [2], dtype: 'float32', host: null, sample: null },
    device,
  );
  const effects = inPlace ? [{ node: add(x, constant(1, [2], 'float32')), into: x }] : [];
  return { args: [x], effects, roots: inPlace ? [] : [add(x, 1)] };
}

describe('the queued test device', () => {
  test('runs later, in order, and counts', async () => {
    const queue = createQueued(createReference());
    const start = queue.upload(new Float32Array([1, 2]), 'float32');
    const executable = queue.prepare(increment(false));
    const first = executable.run([start]);
    const second = executable.run([first.outputs[0]!]);
    expect(queue.probe).toMatchObject({ inFlight: 2, enqueued: 2, log: [] });
    expect(queue.memory().live).toBe(24);
    first.outputs[0]!.dispose();
    expect(await queue.read(second.outputs[0]!)).toEqual(new Float32Array([3, 4]));
    expect(queue.probe.log).toEqual([
      { kind: 'run', run: 1, failed: false },
      { kind: 'run', run: 2, failed: false },
      { kind: 'free', bytes: 8 },
      { kind: 'read' },
    ]);
    expect(queue.memory().live).toBe(16);
  });

  test('overwrites in place', async () => {
    const queue = createQueued(createReference());
    const start = queue.upload(new Float32Array([1, 2]), 'float32');
    const { outputs } = queue.prepare(increment(true)).run([start]);
    expect(outputs[0]).toBe(start);
    expect(await queue.read(start)).toEqual(new Float32Array([2, 3]));
  });

  test('uses after free throw and are noted', () => {
    const queue = createQueued(createReference());
    const start = queue.upload(new Float32Array([1, 2]), 'float32');
    start.dispose();
    expect(() => queue.prepare(increment(false)).run([start])).toThrow(DeviceError);
    expect(() => start.dispose()).toThrow(/freed twice/);
    expect(queue.probe.violations).toHaveLength(2);
  });

  test('a failed run rejects and leaves garbage; a program that fails to compile fails in the queue', async () => {
    const queue = createQueued(createReference());
    const start = queue.upload(new Float32Array([1, 2]), 'float32');
    queue.failNext(new Error('lost'));
    const { outputs, done } = queue.prepare(increment(false)).run([start]);
    await expect(done).rejects.toThrow('lost');
    expect(await queue.read(outputs[0]!)).toEqual(new Float32Array([77, 77]));
    queue.failNextCompile(new Error('no such kernel'));
    await expect(queue.prepare(increment(false)).run([start]).done).rejects.toThrow('no such kernel');
    expect(queue.probe.log.filter((job) => job.kind === 'run')).toEqual([
      { kind: 'run', run: 1, failed: true },
      { kind: 'run', run: 2, failed: true },
    ]);
  });

  test('holds and resumes; cannot block', async () => {
    const queue = createQueued(createReference());
    const x = tensor([1, 2], { device: queue });
    queue.hold();
    const reading = x.add(1).data();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(queue.probe.inFlight).toBe(1);
    queue.resume();
    expect(await reading).toEqual(new Float32Array([2, 3]));
    expect(() => x.add(1).dataSync()).toThrow(DeviceError);
  });
});
