/**
 * The cheapest way to part a graph in two, exactly: the minimum cut by Dinic's maximum flow. Source: E. A. Dinic, "Algorithm
 * for solution of a problem of maximum flow in networks with power estimation", 1970.
 */
export class CutGraph {
  readonly #first: number[] = [];
  readonly #next: number[] = [];
  readonly #to: number[] = [];
  readonly #room: number[] = [];

  /** Returns the number of the new node. */
  addNode(): number {
    return this.#first.push(-1) - 1;
  }

  /** Parting `from` (on the source's side) from `to` costs `cost`. */
  addEdge(from: number, to: number, cost: number): void {
    this.#addArc(from, to, cost);
    this.#addArc(to, from, 0);
  }

  #addArc(from: number, to: number, room: number): void {
    this.#next.push(this.#first[from] ?? -1);
    this.#first[from] = this.#to.push(to) - 1;
    this.#room.push(room);
  }

  /** Whether each node is on the source's side of a minimum cut. */
  cut(source: number, sink: number): boolean[] {
    for (let levels = this.#levels(source); (levels[sink] ?? -1) >= 0; levels = this.#levels(source)) {
      const arcs = [...this.#first];
      while (this.#push(source, sink, levels, arcs)) {
        // Each call saturates one path more.
      }
    }
    return this.#levels(source).map((level) => level >= 0);
  }

  #levels(source: number): number[] {
    const levels = new Array<number>(this.#first.length).fill(-1);
    levels[source] = 0;
    const queue = [source];
    for (const node of queue) {
      for (let arc = this.#first[node] ?? -1; arc >= 0; arc = this.#next[arc] ?? -1) {
        const to = this.#to[arc] ?? 0;
        if ((this.#room[arc] ?? 0) > 0 && (levels[to] ?? 0) < 0) {
          levels[to] = (levels[node] ?? 0) + 1;
          queue.push(to);
        }
      }
    }
    return levels;
  }

  /** Sends what fits along one path from level to level; without recursion, since graphs are thousands of nodes deep. */
  #push(source: number, sink: number, levels: readonly number[], arcs: number[]): boolean {
    const path: number[] = [];
    let node = source;
    while (node !== sink) {
      const arc = arcs[node] ?? -1;
      if (arc < 0) {
        const back = path.pop();
        if (back === undefined) return false;
        node = this.#to[back ^ 1] ?? source;
        arcs[node] = this.#next[arcs[node] ?? 0] ?? -1;
        continue;
      }
      const to = this.#to[arc] ?? 0;
      if ((this.#room[arc] ?? 0) > 0 && levels[to] === (levels[node] ?? 0) + 1) {
        path.push(arc);
        node = to;
      } else arcs[node] = this.#next[arc] ?? -1;
    }
    const amount = Math.min(...path.map((arc) => this.#room[arc] ?? 0));
    for (const arc of path) {
      this.#room[arc] = (this.#room[arc] ?? 0) - amount;
      this.#room[arc ^ 1] = (this.#room[arc ^ 1] ?? 0) + amount;
    }
    return true;
  }
}
