// What an error is made with, as far as a program can tell: facts, that is an object with `operation` and
// `expected`, of which the message is composed. A message alone leaves the fields of the error empty, and a
// page has nothing to show but a sentence.
import { parseSync, Visitor } from 'oxc-parser';

/** The class that all errors have in common. */
const BASE = 'FirsthandError';

/** The classes of errors, by what their `new` is given. */
export interface ErrorClasses {
  /** Those that take facts, or a message in their place. */
  readonly given: ReadonlySet<string>;
  /** Those that compose their facts themselves, in their constructors. */
  readonly composed: ReadonlySet<string>;
}

/** An error that lacks something. */
export interface ErrorFault {
  readonly path: string;
  readonly line: number;
  /** The expression, on one line. */
  readonly code: string;
  readonly lacks: string;
}

/** The classes of errors in source files. @param texts the files by their paths */
export function errorClasses(texts: ReadonlyMap<string, string>): ErrorClasses {
  const bases = new Map<string, string>();
  const composed = new Set<string>();
  for (const [path, text] of texts) {
    let name: string | null = null;
    new Visitor({
      ClassDeclaration({ id, superClass }) {
        name = id?.name ?? null;
        if (name !== null && superClass?.type === 'Identifier') bases.set(name, superClass.name);
      },
      CallExpression({ callee, arguments: [first] }) {
        if (callee.type === 'Super' && first?.type === 'ObjectExpression' && name !== null)
          composed.add(name);
      },
    }).visit(parseSync(path, text).program);
  }
  const isError = (name: string | undefined): boolean =>
    name === BASE || (name !== undefined && isError(bases.get(name)));
  const errors = [BASE, ...[...bases.keys()].filter(isError)];
  return {
    given: new Set(errors.filter((name) => !composed.has(name))),
    composed: new Set(errors.filter((name) => composed.has(name))),
  };
}

/**
 * The errors of a source file that are made without facts, or with facts that lack the operation or what was
 * expected.
 */
export function errorFaults(path: string, text: string, { given, composed }: ErrorClasses): ErrorFault[] {
  const found: ErrorFault[] = [];
  const check = ({ start, end }: Span, first: Argument | undefined): void => {
    const lacks = lackOf(first);
    if (lacks === null) return;
    const line = text.slice(0, start).split('\n').length;
    found.push({ path, line, code: text.slice(start, end).replaceAll(/\s+/g, ' '), lacks });
  };
  let isComposed = false;
  new Visitor({
    ClassDeclaration({ id }) {
      isComposed = composed.has(id?.name ?? '');
    },
    NewExpression(node) {
      if (node.callee.type === 'Identifier' && given.has(node.callee.name)) check(node, node.arguments[0]);
    },
    CallExpression(node) {
      if (isComposed && node.callee.type === 'Super') check(node, node.arguments[0]);
    },
  }).visit(parseSync(path, text).program);
  return found;
}

/** An expression in a source text. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** The argument of a call, as the parser gives it. */
type Argument = Parameters<
  NonNullable<ConstructorParameters<typeof Visitor>[0]['NewExpression']>
>[0]['arguments'][number];

/** What the argument of an error lacks; null if nothing. */
function lackOf(facts: Argument | undefined): string | null {
  if (facts?.type !== 'ObjectExpression') return 'facts';
  const values = new Map(
    facts.properties.flatMap((property) =>
      property.type === 'Property' && property.key.type === 'Identifier'
        ? [[property.key.name, property.value] as const]
        : [],
    ),
  );
  for (const key of ['operation', 'expected']) {
    const value = values.get(key);
    if (value === undefined || (value.type === 'Literal' && (value.value === null || value.value === '')))
      return key;
  }
  return null;
}
