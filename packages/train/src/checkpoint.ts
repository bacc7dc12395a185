/**
 * Checkpoints: everything from which training goes on bit for bit, as one safetensors file. The model's
 * tensors have the names of its state dict, so that any reader of the format finds them; the optimizer's are
 * `__optimizer__.<index>.<slot>`; counters, random states and the loader's position are JSON in the file's
 * metadata. The file is bytes: in Node, `writeFileAtomic` of `@firsthand/data/node` writes them so that an
 * interruption never destroys the checkpoint before.
 */
import { defaultGenerator, type Tensor } from '@firsthand/autograd';
import {
  type DataLoaderState,
  type FileArray,
  FormatError,
  readSafetensors,
  writeSafetensors,
} from '@firsthand/data';
import {
  checkCount,
  describeValue,
  FirsthandError,
  type GeneratorState,
  isPlain,
  NDArray,
  nearest,
  OptionError,
  type OptionKeys,
} from '@firsthand/linalg';
import type { Module } from '@firsthand/nn';
import type { OptimizerState, SavedOptimizerState } from '@firsthand/optim';
import { hasShape, isCount, isFiniteNumber, isList, parseJson, writeJson } from './json.ts';
import type { Progress, ProgressState } from './progress.ts';

/** What a checkpoint asks of an optimizer. */
interface SavedOptimizer {
  stateDict(): OptimizerState;
  checkStateDict(state: SavedOptimizerState): void;
  loadStateDict(state: SavedOptimizerState): void;
}

/** What a checkpoint holds: the same objects that `fit` is given. All but the model are optional. */
export interface CheckpointContents {
  readonly model: Module;
  readonly optimizer?: SavedOptimizer;
  readonly data?: { state: DataLoaderState };
  /** only matters if it shuffles or augments: sums in another order differ in their last bits */
  readonly validation?: { state: DataLoaderState };
  /** with it, the default generator's state is loaded too */
  readonly progress?: Progress;
}

const PARTS: readonly string[] = Object.keys({
  model: true,
  optimizer: true,
  data: true,
  validation: true,
  progress: true,
} satisfies OptionKeys<CheckpointContents>);

/**
 * Everything else in the object is left alone, so that what `fit` is given can be given whole; but a name
 * that is nearly a part's is one by mistake.
 * @throws OptionError for such a name, or without a model
 */
function checkContents(operation: string, contents: CheckpointContents): CheckpointContents {
  for (const key of isPlain(contents) ? Object.keys(contents) : []) {
    const meant = PARTS.includes(key) ? null : nearest(key, PARTS);
    if (meant === null) continue;
    throw new OptionError({
      operation,
      problem: `there is no part '${key}'`,
      expected: PARTS.join(', '),
      remedy: `write ${meant}`,
    });
  }
  const optimizer: Partial<SavedOptimizer> | null | undefined = contents?.optimizer;
  if (optimizer !== undefined && typeof optimizer?.stateDict !== 'function') {
    throw new OptionError({
      operation,
      problem: `the optimizer is ${describeValue(optimizer)}`,
      expected: 'an Optimizer',
    });
  }
  const model: unknown = contents?.model;
  if (typeof (model as Partial<Module> | undefined)?.stateDict === 'function') return contents;
  const problem = `the model is ${describeValue(model)}`;
  throw new OptionError({ operation, problem, expected: 'a Module', remedy: 'write { model, optimizer }' });
}

/** @throws OptionError for what is no map of text */
function checkMetadata(operation: string, metadata: ReadonlyMap<string, string>): void {
  if (metadata instanceof Map) return;
  const problem = `the metadata is ${describeValue(metadata)}`;
  throw new OptionError({
    operation,
    problem,
    expected: 'a Map of strings',
    remedy: "write new Map([['note', '…']])",
  });
}

/** The part of a checkpoint that is not tensors. */
interface Header {
  readonly version: number;
  readonly generator: GeneratorState;
  readonly learningRates: readonly number[] | null;
  readonly data: DataLoaderState | null;
  readonly validation: DataLoaderState | null;
  readonly progress: ProgressState | null;
}

const VERSION = 2;
const HEADER_KEY = 'firsthand.checkpoint';
/**
 * Before the names of the optimizer's tensors, as the format's own `__metadata__` stands beside names: no
 * module has such a field.
 */
const OPTIMIZER = '__optimizer__.';

/** The tensors' values of now: what is read is fixed at the call. */
async function valuesOf(prefix: string, tensors: ReadonlyMap<string, Tensor>): Promise<[string, NDArray][]> {
  const entries = [...tensors].map(async ([name, tensor]): Promise<[string, NDArray]> => {
    const { shape, dtype } = tensor;
    return [`${prefix}${name}`, NDArray.packed(await tensor.data(), shape, dtype)];
  });
  return Promise.all(entries);
}

/**
 * Everything that is given, and the default generator's state, as the bytes of a safetensors file. Python
 * reads a model out of it by the same names:
 * `model.load_state_dict(safetensors.torch.load_file(path), strict=False)`. Call it between two steps, as
 * from a callback, and let no step begin before it is done.
 * @param contents what to save
 * @param metadata text of your own, by key, which `loadCheckpoint` gives back
 * @example
 * ```ts
 * import { Linear } from '@firsthand/nn';
 * import { AdamW } from '@firsthand/optim';
 * import { loadCheckpoint, saveCheckpoint } from '@firsthand/train';
 * const model = new Linear(2, 1);
 * const optimizer = new AdamW(model.parameters());
 * const bytes = await saveCheckpoint({ model, optimizer }, new Map([['note', 'a start']]));
 * const metadata = loadCheckpoint(bytes, { model, optimizer });
 * console.log(metadata.get('note')); // a start
 * ```
 */
export async function saveCheckpoint(
  contents: CheckpointContents,
  metadata: ReadonlyMap<string, string> = new Map(),
): Promise<Uint8Array<ArrayBuffer>> {
  checkCount('saveCheckpoint', arguments.length, 2, 'saveCheckpoint({ model, optimizer }, metadata)');
  const { model, optimizer, data, validation, progress } = checkContents('saveCheckpoint', contents);
  checkMetadata('saveCheckpoint', metadata);
  const optimizerState = optimizer?.stateDict();
  const modelState = model.stateDict();
  const reserved = [...modelState.keys()].find((name) => name.startsWith(OPTIMIZER));
  if (reserved !== undefined) {
    const problem = `${reserved} of the model has a name that is reserved for the optimizer`;
    throw new FirsthandError({
      operation: 'saveCheckpoint',
      problem,
      expected: 'another name',
      remedy: 'rename the field',
    });
  }
  const generator = defaultGenerator().state;
  const loaders = { data: data?.state ?? null, validation: validation?.state ?? null };
  const [ofModel, ofOptimizer, ofProgress] = await Promise.all([
    valuesOf('', modelState),
    valuesOf(OPTIMIZER, optimizerState?.tensors ?? new Map()),
    progress?.state() ?? null,
  ]);
  const header: Header = {
    version: VERSION,
    generator,
    learningRates: optimizerState?.learningRates ?? null,
    ...loaders,
    progress: ofProgress,
  };
  return writeSafetensors(
    new Map([...ofModel, ...ofOptimizer]),
    new Map([...metadata, [HEADER_KEY, writeJson(header)]]),
  );
}

/**
 * Goes back to a checkpoint: the objects given take the state that they had when it was saved, all or none of
 * them. What the file has and `contents` does not request is ignored: give only the model to use one that
 * was trained.
 * @param bytes the whole file; it is copied
 * @param contents what to load into, made as what was saved
 * @returns the metadata that was given to `saveCheckpoint`
 * @throws FormatError if the bytes are no checkpoint or lack a requested part; StateDictError or
 *   ShapeError if the model or the optimizer is
 *   another than was saved
 */
export function loadCheckpoint(bytes: Uint8Array, contents: CheckpointContents): Map<string, string> {
  checkCount('loadCheckpoint', arguments.length, 2, 'loadCheckpoint(bytes, { model, optimizer })');
  const { model, optimizer, data, validation, progress } = checkContents('loadCheckpoint', contents);
  const { tensors, metadata } = readSafetensors(bytes);
  const text = metadata.get(HEADER_KEY);
  if (text === undefined)
    throw notSaved(`the file's metadata has no ${HEADER_KEY}`, 'it was not written by saveCheckpoint');
  metadata.delete(HEADER_KEY);
  const header = readHeader(text);
  const modelState = new Map<string, FileArray>();
  const slots = new Map<string, FileArray>();
  for (const [name, array] of tensors) {
    if (name.startsWith(OPTIMIZER)) slots.set(name.slice(OPTIMIZER.length), array);
    else modelState.set(name, array);
  }

  // Everything is checked before anything changes; a loader's state checks itself when it is assigned.
  model.checkStateDict(modelState);
  const optimizerState = { tensors: slots, learningRates: header.learningRates ?? [] };
  if (optimizer !== undefined) {
    if (header.learningRates === null) throw lacks('optimizer');
    optimizer.checkStateDict(optimizerState);
  }
  if (progress !== undefined && header.progress === null) throw lacks('progress');
  if (data !== undefined && header.data === null) throw lacks('data');
  if (validation !== undefined && header.validation === null) throw lacks('validation');
  const before = data?.state;
  if (data !== undefined) data.state = header.data!;
  try {
    if (validation !== undefined) validation.state = header.validation!;
  } catch (error) {
    if (data !== undefined) data.state = before!;
    throw error;
  }
  model.loadStateDict(modelState);
  optimizer?.loadStateDict(optimizerState);
  if (progress !== undefined && header.progress !== null) {
    progress.restore(header.progress);
    defaultGenerator().state = header.generator;
  }
  return metadata;
}

/** The error of a file that lacks what was requested. */
const notSaved = (problem: string, remedy?: string, expected = 'a file of saveCheckpoint'): FormatError =>
  new FormatError({ operation: 'loadCheckpoint', problem, expected, remedy });

const lacks = (part: string): FormatError =>
  notSaved(
    `the checkpoint was saved without ${part}`,
    'do not ask for it, or take another file',
    `a checkpoint with ${part}`,
  );

/** @throws FormatError unless the text is the JSON of a header */
function readHeader(text: string): Header {
  const header = parseJson('loadCheckpoint', text);
  if (!hasShape(header, { version: isCount })) throw notSaved('the checkpoint names no version');
  const { version } = header as { readonly version: number };
  if (version !== VERSION) {
    throw notSaved(
      `the checkpoint has version ${version}, this program reads version ${VERSION}`,
      undefined,
      `version ${VERSION}`,
    );
  }
  if (!isHeader(header))
    throw notSaved(
      `the metadata ${HEADER_KEY} is not what saveCheckpoint writes`,
      undefined,
      'what saveCheckpoint writes',
    );
  return header;
}

const orNull = (check: (value: unknown) => boolean) => (value: unknown) => value === null || check(value);
const isNumber = (value: unknown): boolean => typeof value === 'number';
const isMetrics = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.values(value).every(isNumber);
const isWord = (value: unknown): boolean => isCount(value) && (value as number) < 2 ** 32;
const isWords = (value: unknown): boolean =>
  isList(isWord)(value) && (value as readonly number[]).length === 2;
const isGenerator = (value: unknown): boolean => hasShape(value, { key: isWords, counter: isWords });
const isReport = (value: unknown): boolean =>
  hasShape(value, {
    epoch: isCount,
    step: isCount,
    training: isMetrics,
    validation: orNull(isMetrics),
    learningRates: isList(isNumber),
    seconds: isNumber,
    examplesPerSecond: isNumber,
  });
const isLoaderState = (value: unknown): boolean =>
  hasShape(value, {
    epoch: isCount,
    position: isCount,
    generator: orNull(isGenerator),
    key: isWords,
    examples: isCount,
    batchSize: isCount,
  });
const isTotals = (value: unknown): boolean => hasShape(value, { sums: isMetrics, weight: isNumber });

function isHeader(value: unknown): value is Header {
  return hasShape(value, {
    version: isCount,
    generator: isGenerator,
    learningRates: orNull(isList(isFiniteNumber)),
    data: orNull(isLoaderState),
    validation: orNull(isLoaderState),
    progress: orNull((state) =>
      hasShape(state, {
        step: isCount,
        history: isList(isReport),
        position: isCount,
        seconds: isNumber,
        totals: isTotals,
      }),
    ),
  });
}
