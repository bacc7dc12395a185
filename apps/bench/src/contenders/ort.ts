/**
 * ONNX Runtime with one thread: for the web, on WebAssembly, and for Node, in native code. It runs models and
 * does no training, so it takes part in operations only, each a model of its own. A session takes typed
 * arrays and gives typed arrays: copying them into its memory and out of it is a part of every run.
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

interface SessionOptions {
  readonly executionProviders: readonly string[];
  readonly intraOpNumThreads: number;
}

/** The part of the interface that is used here; both have it. */
interface Ort {
  readonly env: { readonly wasm: { numThreads: number; proxy: boolean }; logLevel: string };
  readonly InferenceSession: {
    create(model: Uint8Array, options: SessionOptions): Promise<Session>;
  };
  readonly Tensor: new (type: 'float32', values: Float32Array, shape: readonly number[]) => OrtTensor;
}

/** For the web. */
export const createOrtWeb = (): Promise<Contender> => createOrt('onnxruntime-web', 'wasm');
/** For Node. */
export const createOrtNode = (): Promise<Contender> => createOrt('onnxruntime-node', 'cpu');

async function createOrt(library: string, provider: string): Promise<Contender> {
  const ort = loadPeer(library) as Ort;
  const options: SessionOptions = { executionProviders: [provider], intraOpNumThreads: 1 };
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.logLevel = 'error';
  return {
    async prepare(work) {
      if (work.kind === 'matmul') return prepareSession(ort, options, matmulGraph(work), matmulInputs(work));
      if (work.kind !== 'map' || work.gradient) return null;
      const { operands } = mapInputs(work);
      const graph = mapGraph(
        work,
        operands.map(({ shape }) => shape),
      );
      return prepareSession(
        ort,
        options,
        graph,
        operands.map(({ values }) => values),
      );
    },
  };
}

async function prepareSession(
  ort: Ort,
  options: SessionOptions,
  graph: OnnxGraph,
  values: readonly Float32Array[],
): Promise<Prepared> {
  const session = await ort.InferenceSession.create(encodeModel(graph), options);
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, shape }, index) => [name, new ort.Tensor('float32', values[index]!, shape)]),
  );
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
