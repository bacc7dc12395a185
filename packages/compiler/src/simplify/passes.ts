/**
 * Rewriting that looks at the whole graph, once every node has its simplest form: what the steps of an
 * unrolled loop add up becomes one product or one reduction over all steps, arrays with the same parts become
 * one array, and short concatenations that nobody needs in memory become expressions.
 */
import { concatenateComposite, postOrder, type Node, type NodeOf } from '@firsthand/graph';
import { listAt } from '../support/lists.ts';
import { movementsOf } from '../ir/coordinates.ts';
import { concatenated, type Concatenation, concatenationOf } from './concatenate.ts';
import { isMatmul } from './inline.ts';
import { isContract } from './matmul.ts';
import { countReaders, type Rewriter } from './rewrite.ts';

/** One way to write a graph differently. */
export interface Pass {
  /** The equation; why it holds is written beside it. */
  readonly name: string;
  /** Whether every bit is the same, up to the payload of NaN. */
  readonly exact: boolean;
  /** The replacements of nodes. */
  readonly apply: (roots: readonly Node[], make: Rewriter) => ReadonlyMap<Node, Node>;
}

/** Terms of a sum that are worth being joined. */
const FEWEST_TERMS = 4;
/** Parts of a concatenation that an expression may pick from: with more of them, it would be long. */
const MOST_PICKED = 4;

const orderOf = (roots: readonly Node[]): readonly Node[] => postOrder(roots, ({ inputs }) => inputs);

// ---- sums

function isSum(node: Node): node is NodeOf<'binary'> {
  return node.op === 'binary' && node.attrs.kind === 'add';
}

/** The sums of a graph with their terms: (a + b) + c has three, where nothing else reads a + b. */
function sumsIn(
  order: readonly Node[],
  readers: ReadonlyMap<Node, number>,
): ReadonlyMap<Node, readonly Node[]> {
  const inner = new Set<Node>();
  for (const node of order) {
    if (!isSum(node)) continue;
    for (const input of node.inputs) if (isSum(input) && readers.get(input) === 1) inner.add(input);
  }
  const sums = new Map<Node, readonly Node[]>();
  for (const node of order) {
    if (!isSum(node) || inner.has(node)) continue;
    const terms: Node[] = [];
    const pending: Node[] = [...node.inputs].reverse();
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (inner.has(next)) pending.push(next.inputs[1]!, next.inputs[0]!);
      else terms.push(next);
    }
    if (terms.length >= FEWEST_TERMS) sums.set(node, terms);
  }
  return sums;
}

/** The longest way from each node down to a leaf. */
function depthsOf(order: readonly Node[]): ReadonlyMap<Node, number> {
  const depths = new Map<Node, number>();
  for (const node of order) {
    let depth = 0;
    for (const input of node.inputs) depth = Math.max(depth, depths.get(input)! + 1);
    depths.set(node, depth);
  }
  return depths;
}

interface Product {
  readonly left: Node;
  readonly right: Node;
}

/**
 * The factors of a term that is a product which nothing else reads, and a short one: its factors have fewer
 * elements than adding to the result in memory moves, which is to read and to write it. That is so where k is
 * below the harmonic mean of m and n. Null for other terms.
 */
function shortProductOf(term: Node, readers: ReadonlyMap<Node, number>): Product | null {
  if (term.op !== 'output' || term.shape.length !== 2 || readers.get(term) !== 1) return null;
  const called = term.inputs[0]!;
  if (!isMatmul(called) || !isContract(called)) return null;
  const [left, right] = [called.inputs[0]!, called.inputs[1]!];
  const [m, k, n] = [left.shape[0]!, left.shape[1]!, right.shape[1]!];
  return k * (m + n) <= 2 * m * n ? { left, right } : null;
}

/**
 * The factors are joined in the order of the steps that they come from, whatever the order of the sum, so
 * that the gradients of several weights have the same arrays. In a loop that is unrolled, forward values of
 * later steps have longer ways to the leaves, and gradients of later steps shorter ones, which are longer
 * than those of forward values.
 */
function joinProducts(products: readonly Product[], depths: ReadonlyMap<Node, number>, make: Rewriter): Node {
  const ranked = products.map((product) => {
    const [a, b] = [depths.get(product.left)!, depths.get(product.right)!];
    return { product, near: Math.min(a, b), far: Math.max(a, b) };
  });
  ranked.sort((a, b) => a.near - b.near || b.far - a.far);
  const turned = (x: Node): Node => make.permute(x, [1, 0]);
  const lefts = ranked.map(({ product }) => turned(product.left));
  const rights = ranked.map(({ product }) => product.right);
  return make.matmul(turned(concatenated(lefts, 0, make)), concatenated(rights, 0, make));
}

const JOIN_PRODUCTS: Pass = {
  name: 'Σ aᵢ·bᵢ ≈ [a₁ a₂ …]·[b₁; b₂; …], of the terms of a sum',
  // The same products, added in one sum; where the factors are short, they are moved at less cost than
  // partial sums.
  exact: false,
  apply(roots, make) {
    const order = orderOf(roots);
    const replacements = new Map<Node, Node>();
    if (!order.some(isMatmul)) return replacements;
    const readers = countReaders(roots);
    let depths: ReadonlyMap<Node, number> | null = null;
    for (const [sum, terms] of sumsIn(order, readers)) {
      const products: Product[] = [];
      const others: Node[] = [];
      for (const term of terms) {
        const product = shortProductOf(term, readers);
        if (product === null) others.push(term);
        else products.push(product);
      }
      if (products.length < FEWEST_TERMS) continue;
      depths ??= depthsOf(order);
      const joined = joinProducts(products, depths, make);
      replacements.set(
        sum,
        others.reduce((total, term) => make.binary('add', total, term), joined),
      );
    }
    return replacements;
  },
};

const JOIN_REDUCTIONS: Pass = {
  name: 'Σ sum(aᵢ) ≈ sum([a₁; a₂; …])',
  // The same elements, added in one sum; where the concatenation exists.
  exact: false,
  apply(roots, make) {
    const order = orderOf(roots);
    const replacements = new Map<Node, Node>();
    const joined = concatenationsIn(order);
    if (joined.length === 0) return replacements;
    const wholes = new Map<Node, (Concatenation & { readonly node: Node })[]>();
    for (const whole of joined) for (const part of new Set(whole.parts)) listAt(wholes, part).push(whole);
    const readers = countReaders(roots);
    for (const [sum, terms] of sumsIn(order, readers)) {
      const [first] = terms;
      if (first?.op !== 'reduce' || first.attrs.kind !== 'sum') continue;
      const { axes } = first.attrs;
      const operands = new Set<Node>();
      for (const term of terms) {
        if (term.op === 'reduce' && term.attrs.kind === 'sum' && term.attrs.axes.join() === axes.join())
          operands.add(term.inputs[0]!);
      }
      const whole = wholes
        .get(first.inputs[0]!)
        ?.find(
          ({ axis, parts }) =>
            axes.includes(axis) && parts.length === terms.length && parts.every((part) => operands.has(part)),
        );
      if (whole !== undefined && operands.size === terms.length)
        replacements.set(sum, make.reduce('sum', whole.node, axes));
    }
    return replacements;
  },
};

// ---- concatenations

type Whole = Concatenation & { readonly node: Node };

function concatenationsIn(order: readonly Node[]): readonly Whole[] {
  return order.flatMap((node) => {
    const found = node.op === 'output' ? concatenationOf(node) : null;
    return found === null ? [] : [{ ...found, node }];
  });
}

const SHARE_PARTS: Pass = {
  name: '[b c] = some of [a b c d]',
  // The longer one holds the parts of the shorter one in their order.
  exact: true,
  apply(roots, make) {
    const wholes = [...concatenationsIn(orderOf(roots))].sort((a, b) => b.parts.length - a.parts.length);
    const replacements = new Map<Node, Node>();
    /** Where a part that is no constant occurs in longer ones. */
    const positions = new Map<Node, { readonly whole: Whole; readonly position: number }[]>();
    for (const whole of wholes) {
      const { parts, axis, node } = whole;
      const key = parts.findIndex(({ op }) => op !== 'const');
      const longer =
        key < 0
          ? undefined
          : positions.get(parts[key]!)?.find((other) => isWithin(whole, other.whole, other.position - key));
      if (longer === undefined) {
        parts.forEach((part, position) => {
          if (part.op !== 'const') listAt(positions, part).push({ whole, position: position });
        });
        continue;
      }
      const before = longer.whole.parts
        .slice(0, longer.position - key)
        .reduce((extent, part) => extent + part.shape[axis]!, 0);
      const begin = node.shape.map((_, each) => (each === axis ? before : 0));
      const end = node.shape.map((extent, each) => (each === axis ? before + extent : extent));
      replacements.set(node, make.shrink(longer.whole.node, begin, end));
    }
    return replacements;
  },
};

function isWithin({ parts, axis }: Whole, longer: Whole, first: number): boolean {
  return (
    axis === longer.axis &&
    first >= 0 &&
    parts.every((part, position) => longer.parts[first + position] === part)
  );
}

/**
 * The values that must exist in memory, below movements: operands of calls, what is picked from, and results.
 */
function neededIn(order: readonly Node[], roots: readonly Node[]): ReadonlySet<Node> {
  const needed = new Set<Node>(roots.map((root) => movementsOf(root).base));
  for (const { op, inputs } of order) {
    if (op === 'call') for (const input of inputs) needed.add(movementsOf(input).base);
    if (op === 'gather') needed.add(movementsOf(inputs[0]!).base);
  }
  return needed;
}

const PICK_PARTS: Pass = {
  name: '[a b] = i < n ? pad(a) : pad(b)',
  // The definition; where there are few parts, and what reads them computes on elements.
  exact: true,
  apply(roots, make) {
    const order = orderOf(roots);
    const replacements = new Map<Node, Node>();
    const short = concatenationsIn(order).filter(({ parts }) => parts.length <= MOST_PICKED);
    if (short.length === 0) return replacements;
    const needed = neededIn(order, roots);
    const { body } = concatenateComposite;
    for (const { node, axis, parts } of short) {
      if (!needed.has(node)) replacements.set(node, make.adopt(body({ axis }, ...parts), parts)[0]!);
    }
    return replacements;
  },
};

/** All passes, in their order. */
export const PASSES: readonly Pass[] = [JOIN_PRODUCTS, SHARE_PARTS, JOIN_REDUCTIONS, PICK_PARTS];
