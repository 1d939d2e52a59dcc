package workerman

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

// writer makes random values as serialize() writes them.
type writer struct {
	t     *rapid.T
	b     strings.Builder
	slots int
	floor int   // back references lead above it
	ends  []int // slots that a reference may lead to
}

func (w *writer) value(depth int) {
	kinds := 7
	if depth == 0 {
		kinds = 5 // neither arrays nor references
	}
	kind := rapid.IntRange(0, kinds-1).Draw(w.t, "kind")
	if kind == 6 && (len(w.ends) == 0 || w.floor == 0) {
		kind = 0
	}
	if kind != 6 {
		w.slots++
		if w.floor > 0 && w.slots > w.floor {
			w.ends = append(w.ends, w.slots)
		}
	}
	switch kind {
	case 0:
		w.b.WriteString("N;")
	case 1:
		fmt.Fprintf(&w.b, "b:%d;", rapid.IntRange(0, 1).Draw(w.t, "bool"))
	case 2:
		fmt.Fprintf(&w.b, "i:%d;", rapid.OneOf(rapid.Int64(), rapid.Int64Range(-5, 5),
			rapid.Just(int64(math.MinInt64))).Draw(w.t, "int"))
	case 3:
		// Those that PHP writes as Go does.
		w.b.WriteString(rapid.SampledFrom([]string{
			"d:0.5;", "d:-1.25;", "d:INF;", "d:-INF;", "d:NAN;", "d:1.0E+25;",
			"d:3;", "d:-0;",
		}).Draw(w.t, "float"))
	case 4:
		w.text(rapid.OneOf(rapid.String(), rapid.StringMatching(`[";{}:R0-9]{0,9}`),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 9),
				func(b []byte) string { return string(b) })).Draw(w.t, "string"))
	case 5:
		n := rapid.IntRange(0, 5).Draw(w.t, "pairs")
		fmt.Fprintf(&w.b, "a:%d:{", n)
		for i := range n {
			// Different keys, or PHP has fewer values than were written.
			if rapid.Bool().Draw(w.t, "int key") {
				fmt.Fprintf(&w.b, "i:%d;", i-2)
			} else {
				w.text("k" + strconv.Itoa(i))
			}
			w.value(depth - 1)
		}
		w.b.WriteString("}")
	case 6:
		fmt.Fprintf(&w.b, "R:%d;", rapid.SampledFrom(w.ends).Draw(w.t, "reference"))
	}
}

func (w *writer) text(s string) { fmt.Fprintf(&w.b, `s:%d:"%s";`, len(s), s) }

// drawBody is a random message as PHP programs send it, its keys in any order.
func drawBody(t *rapid.T) []byte {
	w := &writer{t: t, slots: 1}
	typ := Type(rapid.IntRange(int(TypeSubscribe), int(TypeQueue)).Draw(t, "type"))
	fields := []string{"type"}
	if typ.toClient() {
		fields = append(fields, "channel")
	} else if typ != TypeReserve {
		fields = append(fields, "channels")
	}
	if typ.HasData() {
		fields = append(fields, "data")
	}
	if rapid.Bool().Draw(t, "more") {
		fields = append(fields, "more")
	}
	if rapid.Bool().Draw(t, "shuffled") {
		fields = rapid.Permutation(fields).Draw(t, "order")
	}
	fmt.Fprintf(&w.b, "a:%d:{", len(fields))
	for _, f := range fields {
		w.text(f)
		switch f {
		case "type":
			w.slots++
			w.text(typ.String())
		case "channel":
			w.channel()
		case "channels":
			w.slots++
			n := rapid.IntRange(0, 4).Draw(t, "channels")
			fmt.Fprintf(&w.b, "a:%d:{", n)
			for i := range n {
				fmt.Fprintf(&w.b, "i:%d;", i)
				w.channel()
			}
			w.b.WriteString("}")
		case "data":
			w.floor = w.slots + 1
			w.value(4)
			w.floor, w.ends = 0, nil
		default:
			w.value(3)
		}
	}
	w.b.WriteString("}")
	if rapid.Bool().Draw(t, "newline") {
		w.b.WriteString("\n")
	}
	return []byte(w.b.String())
}

func (w *writer) channel() {
	w.slots++
	if rapid.Bool().Draw(w.t, "int channel") {
		fmt.Fprintf(&w.b, "i:%d;", rapid.Int64Range(-200, 200).Draw(w.t, "channel"))
		return
	}
	w.text(rapid.SampledFrom([]string{"c", "7", "-7", "0123", "", "grün", "\xff"}).Draw(w.t, "channel"))
}

// drawSpoilt is such a message with a few bytes changed, cut out or put in.
func drawSpoilt(t *rapid.T) []byte {
	b := drawBody(t)
	for range rapid.IntRange(1, 3).Draw(t, "changes") {
		if len(b) == 0 {
			break
		}
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		with := rapid.SampledFrom([]byte(`0123456789-+.eE;:"{}aidsbNRrOCES`+"\n\x00\xff")).Draw(t, "with")
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
			b = append(b[:at:at], b[at+1:]...)
		case 1:
			b = append(b[:at:at], append([]byte{with}, b[at:]...)...)
		default:
			b[at] = with
		}
	}
	return b
}
