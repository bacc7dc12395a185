// Calls of WebGPU are counted, waits are seen, and the time outside of the calls is told from that inside.
// The GPU here is made of empty methods, and the clock moves only when somebody works.
import { beforeEach, describe, expect, test } from 'vitest';
import type { Prepared } from '../src/contender.ts';
import { Instrument } from '../src/page/instrument.ts';
import { Observed } from '../src/page/observed.ts';
import { TASKS, type Work } from '../src/tasks.ts';

let time = 0;
let waited = 0;

/** The interfaces as a browser has them; a call takes two milliseconds. */
function createScope() {
  const work = (): void => {
    time += 2;
  };
  class GPU {
    async requestAdapter(options?: object): Promise<object | undefined> {
      return options;
    }
  }
  class GPUAdapter {
    readonly device = new GPUDevice();
    async requestDevice(): Promise<GPUDevice> {
      return this.device;
    }
  }
  class GPUDevice extends EventTarget {
    readonly queue = new GPUQueue();
    createBuffer({ size }: { readonly size: number }): GPUBuffer {
      work();
      return Object.assign(new GPUBuffer(), { size });
    }
  }
  class GPUBuffer {
    async mapAsync(): Promise<void> {}
  }
  class GPUQueue {
    get label(): string {
      return '';
    }
    submit(): void {
      work();
    }
    writeBuffer(): void {}
    async onSubmittedWorkDone(): Promise<void> {
      waited++;
    }
  }
  class GPUCommandEncoder {
    beginComputePass(): GPUComputePassEncoder {
      return new GPUComputePassEncoder();
    }
  }
  class GPUComputePassEncoder {
    dispatchWorkgroups(): void {
      work();
    }
  }
  return {
    GPU,
    GPUAdapter,
    GPUDevice,
    GPUBuffer,
    GPUQueue,
    GPUCommandEncoder,
    GPUComputePassEncoder,
    GPUBufferUsage: { STORAGE: 128 },
  };
}

let scope = createScope();
let instrument = new Instrument(() => time);

beforeEach(() => {
  [time, waited] = [0, 0];
  scope = createScope();
  instrument = new Instrument(() => time);
  instrument.install(scope);
});

test('calls are counted', () => {
  const pass = new scope.GPUCommandEncoder().beginComputePass();
  pass.dispatchWorkgroups();
  pass.dispatchWorkgroups();
  new scope.GPUDevice().createBuffer({ size: 12 });
  new scope.GPUQueue().writeBuffer();
  expect(instrument.counts).toEqual({
    dispatches: 2,
    submits: 0,
    passes: 1,
    writes: 1,
    buffers: 1,
    bytes: 12,
    pipelines: 0,
  });
});

test('everyone gets the adapter of high performance', async () => {
  expect(
    await new scope.GPU().requestAdapter({ powerPreference: 'low-power', featureLevel: 'core' }),
  ).toEqual({
    powerPreference: 'high-performance',
    featureLevel: 'core',
  });
});

describe('the end of what was submitted', () => {
  test('is waited for', async () => {
    await instrument.complete();
    expect(waited).toBe(0);
    new scope.GPUQueue().submit();
    await instrument.complete();
    await instrument.complete();
    expect(waited).toBe(1);
  });

  test('is not waited for again where the library has done so', async () => {
    new scope.GPUQueue().submit();
    await new scope.GPUBuffer().mapAsync();
    await instrument.complete();
    expect(waited).toBe(0);
  });

  test('is waited for if something came after the wait', async () => {
    const queue = new scope.GPUQueue();
    const mapped = new scope.GPUBuffer().mapAsync();
    queue.submit();
    await mapped;
    await instrument.complete();
    expect(waited).toBe(1);
  });
});

test('what a device refuses is an error, once, of a run that uses the device', async () => {
  const adapter = new scope.GPUAdapter();
  await adapter.requestDevice();
  adapter.device.dispatchEvent(
    Object.assign(new Event('uncapturederror'), { error: { message: 'no such binding' } }),
  );
  new scope.GPUQueue().submit();
  await instrument.complete();
  instrument.begin();
  adapter.device.queue.submit();
  await expect(instrument.complete()).rejects.toThrow('no such binding');
  await instrument.complete();
});

describe('JavaScript', () => {
  test('is what is outside of the calls, until the first wait is over', async () => {
    const watch = instrument.watch();
    time += 3;
    const queue = new scope.GPUQueue();
    queue.submit();
    time += 4;
    queue.submit();
    const mapped = new scope.GPUBuffer().mapAsync();
    time += 1;
    watch.returned();
    await mapped;
    time += 100;
    queue.submit();
    watch.returned();
    expect(watch.javascript).toBe(3 + 4 + 1);
  });

  test('is not looked at unless somebody watches', () => {
    const watch = instrument.watch();
    instrument.unwatch();
    time += 3;
    new scope.GPUQueue().submit();
    expect(watch.javascript).toBe(0);
  });
});

describe('a contender that is observed', () => {
  /**
   * It makes two buffers before its first run and one in it; every run dispatches once and takes a
   * millisecond of JavaScript.
   */
  const createContender = () => ({
    async prepare(): Promise<Prepared> {
      const device = new scope.GPUDevice();
      device.createBuffer({ size: 100 });
      device.createBuffer({ size: 50 });
      let runs = 0;
      return {
        run() {
          if (runs++ === 0) device.createBuffer({ size: 7 });
          time += 1;
          new scope.GPUCommandEncoder().beginComputePass().dispatchWorkgroups();
          new scope.GPUQueue().submit();
        },
        outputs: async () => [],
        notes: () => ({ runs }),
        release() {},
      };
    },
  });

  test('notes the first run, and the last', async () => {
    const observed = new Observed(createContender(), instrument);
    const prepared = (await observed.prepare(TASKS[0]!.work as Work))!;
    await prepared.run();
    expect(prepared.notes!()).toEqual({
      runs: 1,
      dispatches: 1,
      submits: 1,
      passes: 1,
      writes: 0,
      buffers: 1,
      bytes: 7,
      pipelines: 0,
      createdBytes: 157,
      longestBlock: expect.any(Number),
    });
    observed.closely = true;
    await prepared.run();
    expect(prepared.notes!()).toEqual({
      runs: 2,
      dispatches: 1,
      submits: 1,
      passes: 1,
      writes: 0,
      buffers: 0,
      bytes: 0,
      pipelines: 0,
      javascript: 1,
      calls: 4, // of dispatchWorkgroups and submit
    });
    expect(waited).toBe(2);
  });
});
