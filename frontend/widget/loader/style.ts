// Styles of the launcher and the panel, for a constructable stylesheet (which needs no unsafe-inline).

export const STYLE = `
:host{all:initial;--c:#245fd4;--i:#fff}
[hidden]{display:none!important}
button{all:unset;box-sizing:border-box;position:fixed;z-index:2147483001;right:20px;bottom:calc(20px + env(safe-area-inset-bottom,0px));width:56px;height:56px;border-radius:50%;background:var(--c);color:var(--i);cursor:pointer;display:grid;place-items:center;box-shadow:0 1px 3px #0003,0 6px 20px #0003;transition:transform .14s ease-out}
button:hover{transform:scale(1.05)}
button:focus-visible{outline:3px solid var(--i);box-shadow:0 0 0 6px var(--c)}
svg{grid-area:1/1;width:26px;height:26px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round;transition:opacity .14s,transform .14s}
.x,.open .b{opacity:0;transform:scale(.6)}
.open .x{opacity:1;transform:none}
span{position:absolute;top:-2px;right:-2px;min-width:20px;height:20px;box-sizing:border-box;padding:0 6px;border-radius:10px;background:#be222a;color:#fff;font:600 12px/20px system-ui,sans-serif;text-align:center;box-shadow:0 0 0 2px #fff}
section{position:fixed;z-index:2147483000;right:20px;bottom:calc(88px + env(safe-area-inset-bottom,0px));width:384px;height:min(640px,100dvh - 108px);border-radius:16px;overflow:hidden;background:#fefdfc;box-shadow:0 0 0 1px #0000001a,0 12px 40px #00000038;animation:in .18s ease-out}
iframe{display:block;width:100%;height:100%;border:0}
@keyframes in{from{opacity:0;transform:translateY(12px)}}
@media(max-width:480px){section{left:0;right:0;top:var(--t,0);bottom:auto;width:auto;height:var(--h,100dvh);border-radius:0;box-shadow:none}.open.ready button{display:none}}
@media(prefers-color-scheme:dark){section{background:#191714;box-shadow:0 0 0 1px #ffffff1f,0 12px 40px #000a}}
@media(prefers-reduced-motion:reduce){*{animation:none!important;transition:none!important}}
@media print{*{display:none!important}}`;
