/** Set as a constructed sheet: the page's policy takes no inline styles, and one more file would be one more request. */
export const STYLE = `
.composer{grid-template-columns:auto 1fr auto}
.chosen{grid-column:1/-1;list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:6px}
.chosen:empty{display:none}
.chosen li{display:flex;align-items:center;gap:6px;max-width:100%;padding:3px 4px 3px 10px;border:1px solid var(--line);border-radius:14px;font-size:13px}
.chosen bdi,.file bdi{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.composer .chosen small{padding:0;white-space:nowrap}
.composer .chosen button{height:24px;width:24px;padding:0;background:none;color:var(--fg-2)}
.clip{display:grid;place-items:center;width:34px;height:34px;border-radius:50%;color:var(--fg-2);cursor:pointer}
.clip input{position:absolute;opacity:0;width:1px;height:1px}
.clip:focus-within{outline:2px solid var(--readable)}
.clip svg{width:20px;height:20px}
.files{display:grid;gap:6px;justify-items:start}
.own .files{justify-items:end}
.picture img{display:block;max-width:100%;height:auto;border-radius:12px}
.file{display:flex;gap:8px;align-items:baseline;max-width:240px;padding:8px 12px;border:1px solid var(--line);border-radius:12px;color:inherit}
`;
