// Styles of the launcher and the panel, for a constructable stylesheet (which needs no unsafe-inline).

export const STYLE = `:host{all:initial}
[hidden]{display:none!important}
button{all:unset}
button,section{position:fixed;right:20px;bottom:20px;z-index:2147483001;box-shadow:0 1px 3px #0003,0 8px 28px #0004}
button{width:56px;height:56px;border-radius:50%;background:var(--c,#245fd4);color:var(--i,lch(from var(--c,#245fd4) calc((60 - l)*infinity) 0 0));cursor:pointer;display:grid;place-items:center}
button:hover{scale:1.05}
button:focus-visible{outline:3px solid currentColor;box-shadow:0 0 0 6px var(--c,#245fd4)}
svg{grid-area:1/1;width:26px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.x,.open .b{display:none}
.open .x{display:block}
span{position:absolute;top:-2px;right:-2px;min-width:20px;border-radius:10px;background:#be222a;color:#fff;font:600 12px/20px system-ui;text-align:center;box-shadow:0 0 0 2px #fff}
section{z-index:2147483000;bottom:88px;width:384px;height:min(640px,100dvh - 108px);border-radius:16px;overflow:hidden;background:#fefdfc;animation:in .18s}
iframe{width:100%;height:100%;border:0}
@keyframes in{from{opacity:0;transform:translateY(12px)}}
@media(max-width:480px){section{inset:var(--t,0) 0 auto;width:auto;height:var(--h,100dvh);border-radius:0}.open.ready button{display:none}}
@media(prefers-color-scheme:dark){section{background:#191714;box-shadow:0 0 0 1px #fff3,0 8px 28px #000}}
@media(prefers-reduced-motion){section{animation:none}}
@media print{*{display:none}}`;
