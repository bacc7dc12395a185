/**
 * ONNX Runtime for the web, on WebAssembly with one thread. It runs models and does no training, so it takes part in operations only, each a model of
 * its own. A session takes typed arrays and gives typed arrays: copying them into its memory and out of it is a part of every run.
 */
import type { Contender, Prepared } from '../contender.ts';
import { mapInputs, matmulInputs } from '../inputs.ts';
import { encodeModel, mapGraph, matmulGraph, type OnnxGraph } from '../onnx.ts';
import { loadPeer } from '../peers.ts';

interface OrtTensor {
  readonly data: Float32Array;
}

type Feeds = Readonly<Record<string, OrtTensor>>;

interface Session {
  run(feeds: Feeds): Promise<Feeds>;
  release(): Promise<void>;
}

/** The part of the interface that is used here. */
interface Ort {
  readonly env: { readonly wasm: { numThreads: number; proxy: boolean }; logLevel: string };
  readonly InferenceSession: {
    create(model: Uint8Array, options: { readonly executionProviders: readonly string[] }): Promise<Session>;
  };
  readonly Tensor: new (type: 'float32', values: Float32Array, shape: readonly number[]) => OrtTensor;
}

export async function createOrt(): Promise<Contender> {
  const ort = loadPeer('onnxruntime-web') as Ort;
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.logLevel = 'error';
  return {
    async prepare(work) {
      if (work.kind === 'matmul') return prepareSession(ort, matmulGraph(work), matmulInputs(work));
      if (work.kind !== 'map' || work.gradient) return null;
      const { operands } = mapInputs(work);
      const graph = mapGraph(
        work,
        operands.map(({ shape }) => shape),
      );
      return prepareSession(
        ort,
        graph,
        operands.map(({ values }) => values),
      );
    },
  };
}

async function prepareSession(ort: Ort, graph: OnnxGraph, values: readonly Float32Array[]): Promise<Prepared> {
  const session = await ort.InferenceSession.create(encodeModel(graph), { executionProviders: ['wasm'] });
  const feeds = Object.fromEntries(graph.inputs.map(({ name, shape }, index) => [name, new ort.Tensor('float32', values[index]!, shape)]));
  let last: Feeds = {};
  return {
    async run() {
      last = await session.run(feeds);
    },
    outputs: async () => [last['y']!.data],
    release() {
      void session.release();
    },
  };
}
