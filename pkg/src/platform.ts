/** The global object, each member of which some supported platform lacks. */
export const platform = globalThis as unknown as Partial<Window & { WebSocket: new (url: string) => WebSocket }>;
