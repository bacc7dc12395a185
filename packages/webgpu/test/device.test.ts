// The device in Node: one submission per program, buffers that are used again, kernels that are timed, errors
// that say what to change.
import { compile, setDefaultDevice, stateVariable, tensor, Tensor, type Device } from '@firsthand/autograd';
import { call, DeviceError, mul, unary, type Composite, type Program } from '@firsthand/graph';
import { getDefaultDevice, type Executable } from '@firsthand/runtime';
import { array } from '@firsthand/linalg';
import { createWebGPU, defineKernel } from '@firsthand/webgpu';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { create } from 'webgpu';

const gpu = create([]);
const outer = getDefaultDevice();
afterAll(() => setDefaultDevice(outer));

async function rawDevice(limits: { readonly [name: string]: number } = {}): Promise<GPUDevice> {
  const adapter = await gpu.requestAdapter();
  return adapter!.requestDevice({ requiredLimits: limits });
}

/** What the device compiles from now on. */
function executablesOf(device: Device): Executable[] {
  const list: Executable[] = [];
  const prepare = device.prepare.bind(device);
  vi.spyOn(device, 'prepare').mockImplementation((program: Program) => {
    const executable = prepare(program);
    list.push(executable);
    return executable;
  });
  return list;
}

describe('errors say what to do', () => {
  test('the adapter, and that it computes in software', async () => {
    const device = await createWebGPU();
    expect(device.profile).toMatchObject({ name: 'google swiftshader', isSoftware: true });
    expect(device.findings).toEqual([]);
    expect(device.supports('float32') && device.supports('float16') && !device.supports('float64')).toBe(
      true,
    );
    device.dispose();
  });

  test('how far the shaders are', async () => {
    const progress: { readonly ready: number; readonly total: number }[] = [];
    const device = await createWebGPU({ onProgress: (each) => progress.push(each) });
    await tensor([1, 2, 3], { device }).softmax().data();
    expect(progress.at(-1)).toEqual({ ready: 1, total: 1 });
    device.dispose();
  });
});

// Where conditions are joined by && and ||, four powers in a loop take SwiftShader's compiler many minutes,
// and gigabytes.
test.each([
  ['pow', (a: number, b: number) => a ** b],
  ['mod', (a: number, b: number) => a % b],
] as const)('eight times %s in a loop compiles at once', async (name, apply) => {
  const device = await createWebGPU();
  const values = [1, 2, 3, 4, 5, 6];
  const others = Array.from({ length: 8 }, (_, index) => 1 + index / 4);
  const x = tensor([values], { device });
  const sum = others.map((each) => x[name](tensor([each], { device }))).reduce((a, b) => a.add(b));
  const expected = values.reduce((total, a) => total + others.reduce((part, b) => part + apply(a, b), 0), 0);
  const [found] = await sum.sum({ axis: 1 }).data();
  expect(Math.abs(found! / expected - 1)).toBeLessThan(1e-5);
  device.dispose();
});

describe('a training step', () => {
  const step = (w: Tensor): ((x: Tensor) => Tensor) =>
    compile((x: Tensor) => {
      const loss = x.matmul(w).tanh().square().mean();
      loss.backward();
      w.assign(w.sub(w.grad!.mul(0.1)));
      w.grad = null;
      return loss;
    });

  test('is one submission, and creates no buffer when it is replayed', async () => {
    const raw = await rawDevice();
    const device = await createWebGPU({ device: raw });
    setDefaultDevice(device);
    const w = tensor(
      [
        [0.3, -0.2],
        [0.5, 0.1],
      ],
      { requiresGrad: true },
    );
    const train = step(w);
    const batch = (): Tensor =>
      tensor([
        [1, 2],
        [3, 4],
      ]);
    const first = await train(batch()).item();
    for (let index = 0; index < 3; index++) await train(batch()).item();
    const submit = vi.spyOn(raw.queue, 'submit');
    const createBuffer = vi.spyOn(raw, 'createBuffer');
    const createBindGroup = vi.spyOn(raw, 'createBindGroup');
    let last = first;
    for (let index = 0; index < 5; index++) last = await train(batch()).item();
    expect(submit).toHaveBeenCalledTimes(5);
    expect(createBuffer).not.toHaveBeenCalled();
    expect(createBindGroup).not.toHaveBeenCalled();
    expect(last).toBeLessThan(first);
    device.dispose();
  });

  test('goes on after the device is lost, on a fresh one, from what the host holds', async () => {
    const run = async (
      steps: number,
      from: readonly (readonly number[])[],
      device: Device,
    ): Promise<number[][]> => {
      setDefaultDevice(device);
      const w = tensor(
        from.map((row) => [...row]),
        { requiresGrad: true },
      );
      const train = step(w);
      for (let index = 0; index < steps; index++)
        await train(
          tensor([
            [1, 2],
            [3, 4],
          ]),
        ).item();
      return (await w.detach().toArray()) as number[][];
    };
    const start = [
      [0.3, -0.2],
      [0.5, 0.1],
    ];
    const straight = await run(6, start, await createWebGPU());
    const raw = await rawDevice();
    const doomed = await createWebGPU({ device: raw });
    const saved = await run(3, start, doomed);
    const x = tensor([1, 2], { device: doomed });
    raw.destroy();
    await raw.lost;
    await expect(x.add(1).data()).rejects.toThrow(/lost.*createWebGPU\(\)/);
    expect(() => tensor([1], { device: doomed })).toThrow(DeviceError);
    expect(await run(3, saved, await createWebGPU())).toEqual(straight);
  });

  test('that is under way when the device is lost fails, and says so', async () => {
    const raw = await rawDevice();
    const device = await createWebGPU({ device: raw });
    const x = tensor(new Float32Array(2 ** 20), { device });
    const pending = x.exp().sum().data();
    raw.destroy();
    await expect(pending).rejects.toThrow(/webgpu: the GPU device has been lost/);
  });
});

test('a small value that is overwritten while it is being read is the new one from then on', async () => {
  const raw = await rawDevice();
  const device = await createWebGPU({ device: raw });
  setDefaultDevice(device);
  const w = stateVariable(array([1, 2]), { name: 'w' });
  w.assign(w.detach().mul(3).add(1));
  await w.add(0).data();
  const first = w.data();
  const compilePipeline = raw.createComputePipelineAsync.bind(raw);
  // What overwrites it waits for its shader until the old value has been read.
  vi.spyOn(raw, 'createComputePipelineAsync').mockImplementation(async (descriptor) => {
    await first;
    return compilePipeline(descriptor);
  });
  compile(() => {
    w.assign(w.exp().tanh().sin().add(w));
  })();
  expect([...(await first)]).toEqual([4, 7]);
  const second = [...(await w.data())];
  [4, 7].forEach((each, index) =>
    expect(second[index]).toBeCloseTo(Math.sin(Math.tanh(Math.exp(each))) + each, 4),
  );
  device.dispose();
});

describe('a kernel of the user’s own', () => {
  /** x·sigmoid(x)·y */
  const swiglu: Composite<{ readonly beta: number }> = {
    name: 'swiglu',
    infer: (_, x) => [x],
    body: ({ beta }, x, y) => [mul(mul(x, unary('sigmoid', mul(x, beta))), y)],
  };
  const kernel = defineKernel(swiglu, ({ outputs, attrs }) => {
    const size = outputs[0]!.shape.reduce((product, extent) => product * extent, 1);
    return {
      workgroups: Math.ceil(size / 64),
      wgsl: `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${size}u) { return; }
  let x = x0[id.x];
  y0[id.x] = x / (1.0 + exp(-${attrs.beta} * x)) * x1[id.x];
}`,
    };
  });
  const apply = (x: Tensor, y: Tensor): Tensor =>
    new Tensor(call(swiglu, { beta: 1.5 }, x.read(), y.read())[0]!);

  test('gives what the body gives, forward and backward, and is what runs', async () => {
    const results = await Promise.all(
      [[kernel], []].map(async (kernels) => {
        const device = await createWebGPU({ kernels });
        const prepared = executablesOf(device);
        const x = tensor([-2, -0.5, 0, 1, 3, 4], { device, requiresGrad: true });
        const y = tensor([1, 2, 3, 4, 5, 6], { device });
        const out = apply(x.add(0.5), y.neg());
        out.sum().backward();
        const values = { out: [...(await out.data())], grad: [...(await x.grad!.data())] };
        return {
          ...values,
          names: prepared.flatMap((executable) => executable.report().kernels.map(({ name }) => name)),
        };
      }),
    );
    const [own, body] = results as [(typeof results)[0], (typeof results)[0]];
    own.out.forEach((value, index) => expect(value).toBeCloseTo(body.out[index]!, 5));
    own.grad.forEach((value, index) => expect(value).toBeCloseTo(body.grad[index]!, 5));
    expect(own.names).toContain('swiglu 6');
    expect(body.names.join()).not.toContain('swiglu');
  });

  test('that asks for more workgroups than a dispatch can have, or for none, is an error', async () => {
    for (const workgroups of [65_536 ** 2, 0]) {
      const device = await createWebGPU({
        kernels: [defineKernel(swiglu, () => ({ workgroups, wgsl: '' }))],
      });
      const x = tensor([1, 2], { device });
      await expect(apply(x, x).data()).rejects.toThrow(/swiglu.*workgroups/);
    }
  });

  test('that does not compile is an error with the line', async () => {
    const broken = defineKernel(swiglu, () => ({
      workgroups: 1,
      wgsl: '@compute @workgroup_size(1)\nfn main() { y0[0] = nonsense; }',
    }));
    const device = await createWebGPU({ kernels: [broken] });
    const x = tensor([1, 2], { device });
    await expect(apply(x, x).data()).rejects.toThrow(
      /kernel "swiglu 2".*does not compile: line \d+: unresolved value 'nonsense'/,
    );
  });
});

describe('more arrays than a shader may bind', () => {
  test('are packed: read, written, and both', async () => {
    const device = await createWebGPU();
    setDefaultDevice(device);
    const count = 3 * device.profile.maxBindings;
    const inputs = Array.from({ length: count }, (_, index) => tensor([index, 1]));
    const total = inputs.reduce((sum, each) => sum.add(each));
    expect(await total.toArray()).toEqual([(count * (count - 1)) / 2, count]);
    const counters = Array.from({ length: count }, (_, index) =>
      tensor([index], { name: `counter ${index}` }),
    );
    for (const counter of counters) counter.assign(counter.add(total.slice(0, 1, 2)));
    const values = await Promise.all(counters.map((counter) => counter.item()));
    expect(values).toEqual(counters.map((_, index) => index + count));
    device.dispose();
  });
});

describe('bad input', () => {
  test('float64', async () => {
    const device = await createWebGPU();
    expect(() => tensor([1], { dtype: 'float64', device })).toThrow(/float64/);
  });

  test('an array of another device', async () => {
    const [a, b] = [await createWebGPU(), await createWebGPU()];
    expect(() => tensor([1], { device: a }).add(tensor([1], { device: b }))).toThrow(DeviceError);
    await expect(a.read(b.upload(new Float32Array(1), 'float32'))).rejects.toThrow(
      /belongs to another device/,
    );
  });

  test('an array that is larger than a buffer may be', async () => {
    const raw = await rawDevice();
    const device = await createWebGPU({ device: raw });
    const length = raw.limits.maxStorageBufferBindingSize / 4 + 64;
    const x = tensor([1], { device });
    await expect(x.expand(length).add(1).data()).rejects.toThrow(
      /maxStorageBufferBindingSize of this adapter is \d+; use smaller batches/,
    );
    // Fused away, it needs no buffer.
    expect(await x.expand(length).slice(0, 0, 2).add(1).toArray()).toEqual([2, 2]);
  });
});

describe('timings', () => {
  test('put each kernel beside the roofline', async () => {
    const device = await createWebGPU({ timings: true });
    const prepared = executablesOf(device);
    const x = tensor(new Float32Array(256 * 256).fill(0.01), { shape: [256, 256], device });
    await x.matmul(x).softmax().data();
    const { kernels, resolution } = prepared.at(-1)!.report();
    expect(kernels.map(({ seconds }) => seconds! > 0)).toEqual(kernels.map(() => true));
    expect(kernels.every(({ share }) => share! > 0 && Number.isFinite(share))).toBe(true);
    expect(kernels.every(({ ceiling }) => ['arithmetic', 'memory', 'caches'].includes(ceiling!))).toBe(true);
    // Of our own GPU, which Dawn does not round.
    expect(resolution).toBeLessThan(1e-6);
    expect(kernels[0]!.source).toContain('fn main');
  });

  test('of a clock that is rounded come right on average, and what is shorter is said', async () => {
    const adapter = (await gpu.requestAdapter())!;
    const raw = await adapter.requestDevice({ requiredFeatures: ['timestamp-query'] });
    const device = await createWebGPU({ device: raw, timings: true });
    const prepared = executablesOf(device);
    const step = compile((x: Tensor) => x.mul(2));
    const x = tensor([1, 2, 3], { device });
    for (let run = 0; run < 20; run++) await step(x).data();
    const { kernels, resolution } = prepared.at(-1)!.report();
    expect(resolution).toBeCloseTo(65_536e-9, 9);
    // A mean of twenty multiples of the clock's step.
    const ticks = (kernels[0]!.seconds! / resolution!) * 20;
    expect(ticks - Math.round(ticks)).toBeCloseTo(0, 6);
    device.dispose();
    raw.destroy();
  });
});
