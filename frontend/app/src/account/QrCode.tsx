/** A QR code, drawn: dark on light in either look, with the margin readers need. */
import qrcode from "qrcode-generator";

/** ISO/IEC 18004: four modules of nothing around it. */
const MARGIN = 4;

/** Rows of modules, true where dark. */
export function modulesOf(text: string): readonly (readonly boolean[])[] {
  const code = qrcode(0, "M");
  code.addData(text, "Byte");
  code.make();
  const places = Array.from({ length: code.getModuleCount() }, (_, place) => place);
  return places.map((row) => places.map((column) => code.isDark(row, column)));
}

export function QrCode({ text, label }: { readonly text: string; readonly label: string }) {
  const rows = modulesOf(text);
  const size = rows.length + 2 * MARGIN;
  const path = rows.flatMap((row, y) => row.map((dark, x) => dark ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : "")).join("");
  return (
    <svg className="qr-code" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
