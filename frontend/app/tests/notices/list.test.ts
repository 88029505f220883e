import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Marked, NoticeApi } from "../../src/notices/calls";
import { COALESCE_MS, NoticeList } from "../../src/notices/list";
import { FakeClock, settle } from "../fakes";
import { notice, page } from "./rows";

const MARKED: Marked = { changed: 1, unread: 0, unseen: 0, at: "2026-01-01T11:00:00Z" };
let clock: FakeClock;
let api: { [Name in keyof NoticeApi]: ReturnType<typeof vi.fn<NoticeApi[Name]>> };
let list: NoticeList;

beforeEach(() => {
  clock = new FakeClock();
  api = {
    page: vi.fn<NoticeApi["page"]>().mockResolvedValue(page([notice()])),
    markRead: vi.fn<NoticeApi["markRead"]>().mockResolvedValue(MARKED),
    markUnread: vi.fn<NoticeApi["markUnread"]>().mockResolvedValue({ ...MARKED, unread: 1 }),
    markSeen: vi.fn<NoticeApi["markSeen"]>().mockResolvedValue(MARKED),
    settings: vi.fn<NoticeApi["settings"]>(),
    changeSettings: vi.fn<NoticeApi["changeSettings"]>(),
  };
  list = new NoticeList(api, clock);
});

describe("NoticeList", () => {
  it("asks once for frames that come together, and says what arrived", async () => {
    const arrived = vi.fn<(one: unknown) => void>();
    list.onArrived = arrived;
    for (const id of ["n-1", "n-1", null]) list.told(id);
    await clock.advance(COALESCE_MS);
    expect(api.page).toHaveBeenCalledTimes(1);
    expect(arrived).toHaveBeenCalledExactlyOnceWith(notice());
    expect(list.signal.get()).toMatchObject({ unread: 1, phase: "ready" });
  });

  it("shows no toast for what another tab marked, for what is read already, or while the list is on screen", async () => {
    const arrived = vi.fn<(one: unknown) => void>();
    list.onArrived = arrived;
    list.told(null);
    await clock.advance(COALESCE_MS);
    api.page.mockResolvedValue(page([notice({ read: true })]));
    list.told("n-1");
    await clock.advance(COALESCE_MS);
    api.page.mockResolvedValue(page([notice()]));
    list.show(true);
    list.told("n-1");
    await clock.advance(COALESCE_MS);
    expect(arrived).not.toHaveBeenCalled();
    expect(api.markSeen).toHaveBeenCalledWith("2026-01-01T10:00:00Z");
  });

  it("keeps older rows that were fetched when something new comes, each once", async () => {
    const third = notice({ id: "n-3", at: "2026-01-01T08:00:00Z" });
    api.page.mockResolvedValueOnce(page([notice()], { next: "p2" }));
    await list.reload();
    api.page.mockResolvedValueOnce(page([notice(), third], { next: null }));
    await list.more();
    const newer = notice({ id: "n-9", at: "2026-01-01T12:00:00Z" });
    api.page.mockResolvedValueOnce(page([newer, notice()], { next: "p2" }));
    await list.reload();
    expect(list.signal.get().rows.map((row) => row.id)).toEqual(["n-9", "n-1", "n-3"]);
    expect(list.signal.get().next).toBeNull();
  });

  it("drops an answer that a later question overtook, but not what it was asked for", async () => {
    const arrived = vi.fn<(one: unknown) => void>();
    list.onArrived = arrived;
    let late: (value: ReturnType<typeof page>) => void = () => undefined;
    api.page.mockReturnValueOnce(new Promise((resolve) => { late = resolve; }));
    list.told("n-1");
    await clock.advance(COALESCE_MS);
    await list.reload();
    late(page([]));
    await settle();
    expect(list.signal.get().rows).toHaveLength(1);
    list.told(null);
    await clock.advance(COALESCE_MS);
    expect(arrived).toHaveBeenCalledTimes(1);
  });

  it("marks all up to the newest shown, and undoes exactly that", async () => {
    await list.reload();
    const undo = await list.markAllRead();
    expect(api.markRead).toHaveBeenCalledWith({ until: "2026-01-01T10:00:00Z" });
    expect(list.signal.get()).toMatchObject({ unread: 0, rows: [{ read: true }] });
    await undo();
    expect(api.markUnread).toHaveBeenCalledWith({ read_at: MARKED.at });
    expect(list.signal.get()).toMatchObject({ unread: 1, rows: [{ read: false }] });
  });

  it("takes back what it showed when the hub refuses", async () => {
    await list.reload();
    api.markRead.mockRejectedValueOnce(new Error("no"));
    await expect(list.markRead(["n-1"])).rejects.toThrow("no");
    await settle();
    expect(list.signal.get().rows[0]?.read).toBe(false);
  });

  it("says why there is no list", async () => {
    api.page.mockRejectedValueOnce(new Error("The hub did not answer."));
    await list.reload();
    expect(list.signal.get()).toMatchObject({ phase: "failed", problem: "The hub did not answer." });
  });
});
