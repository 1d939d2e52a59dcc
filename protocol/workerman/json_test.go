package workerman

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// messageOf is the message of data as it comes out of a Decoder.
func messageOf(tb interface{ Fatalf(string, ...any) }, value string) GroupMessage {
	var m Message
	body := publishOf(`a:2:{s:8:"group_id";s:1:"g";s:7:"message";` + value + `}`)
	if err := NewDecoder(Limits{MaxDepth: 4096, MaxChannels: 1}).Decode([]byte(body), &m); err != nil {
		tb.Fatalf("%q: %v", body, err)
	}
	g, ok := m.Data.GroupMessage()
	if !ok {
		tb.Fatalf("%q is no array", body)
	}
	return g
}

func TestAppendJSON(t *testing.T) {
	for value, want := range map[string]string{
		`N;`:                                   `null`,
		`d:1;`:                                 `1.0`,
		`d:-0;`:                                `-0.0`,
		`d:.5;`:                                `0.5`,
		`a:2:{i:0;d:1;i:1;d:1.0E+25;}`:         `[1,1.0e+25]`,
		`a:0:{}`:                               `[]`,
		`a:2:{i:1;i:1;i:0;b:1;}`:               `{"1":1,"0":true}`,
		`a:2:{s:1:"0";N;i:+01;b:0;}`:           `[null,false]`,
		`a:2:{i:0;a:1:{s:1:"a";N;}i:1;a:0:{}}`: `[{"a":null},[]]`,
		`a:1:{s:0:"";s:7:"/\"` + "\t\u2028" + `";}`: `{"":"\/\\\"\t\u2028"}`,
	} {
		g := messageOf(t, value)
		got, err := g.AppendJSON([]byte("x"), 1000)
		if err != nil || string(got) != "x"+want {
			t.Errorf("%s: %q %v, want %s", value, got, err, want)
		}
		// The limit is exact.
		if _, err := g.AppendJSON(nil, len(want)); err != nil {
			t.Errorf("%s: %v at its own size", value, err)
		}
		if got, err := g.AppendJSON(nil, len(want)-1); !errors.Is(err, ErrJSONLong) || len(got) != 0 {
			t.Errorf("%s: %q %v over the limit", value, got, err)
		}
	}
	for value, want := range map[string]error{
		`d:NAN;`:                            ErrNotJSON,
		`a:1:{i:0;d:-INF;}`:                 ErrNotJSON,
		`a:2:{i:0;N;i:1;R:8;}`:              ErrNotJSON,
		`a:3:{i:0;N;s:1:"k";N;s:1:"0";N;}`:  ErrNotJSON,
		`a:2:{i:1;N;i:+01;N;}`:              ErrNotJSON,
		"a:1:{i:0;s:1:\"\xff\";}":           ErrJSONNotUTF8,
		"a:1:{s:3:\"\xed\xa0\x80\";i:0;}":   ErrJSONNotUTF8,
		"a:1:{i:0;a:1:{s:1:\"\xc0\";i:0;}}": ErrJSONNotUTF8,
	} {
		g := messageOf(t, value)
		if got, err := g.AppendJSON(nil, 1000); !errors.Is(err, want) || len(got) != 0 {
			t.Errorf("%s: %q %v, want %v", value, got, err, want)
		}
	}
}

// drawJSONValue is a value that PHP writes, with neither references nor objects.
func drawJSONValue(t *rapid.T, b *strings.Builder, depth int) {
	text := func(s string) { fmt.Fprintf(b, `s:%d:"%s";`, len(s), s) }
	aText := rapid.OneOf(rapid.String(),
		rapid.StringMatching("[\"/\\\\\x00-\x1f\x7f\u2028\u2029\u2027\u202a<>&'é世😀]{0,9}"),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 3), func(b []byte) string { return string(b) }))
	switch kind := rapid.IntRange(0, 5+min(depth, 1)).Draw(t, "kind"); kind {
	case 0:
		b.WriteString("N;")
	case 1:
		fmt.Fprintf(b, "b:%d;", rapid.IntRange(0, 1).Draw(t, "bool"))
	case 2:
		fmt.Fprintf(b, "i:%d;", rapid.Int64().Draw(t, "int"))
	case 3, 4:
		f := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.IntRange(-30, 30), func(e int) float64 { return math.Pow10(e) }),
			rapid.Map(rapid.IntRange(-1000, 1000), func(n int) float64 { return float64(n) / 8 })).Draw(t, "float")
		fmt.Fprintf(b, "d:%v;", f)
	case 5:
		text(aText.Draw(t, "string"))
	default:
		n := rapid.IntRange(0, 4).Draw(t, "pairs")
		list := rapid.Bool().Draw(t, "list")
		fmt.Fprintf(b, "a:%d:{", n)
		for i := range n {
			switch {
			case list:
				fmt.Fprintf(b, "i:%d;", i)
			case rapid.Bool().Draw(t, "int key"):
				fmt.Fprintf(b, "i:%d;", 3*i-rapid.IntRange(0, 2).Draw(t, "less"))
			default:
				text(rapid.SampledFrom([]string{"", "-", "k", "é/"}).Draw(t, "key") + strings.Repeat("x", i))
			}
			drawJSONValue(t, b, depth-1)
		}
		b.WriteString("}")
	}
}

// TestPHPJSON: arrays, null and floats are the bytes that PHP makes of them.
func TestPHPJSON(t *testing.T) {
	p := startPHP(t, "testdata/json.php")
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		drawJSONValue(t, &b, 4)
		g := messageOf(t, b.String())
		if k := g.Message.Kind; k != KindNull && k != KindFloat && k != KindArray {
			return // others are not JSON to Workerman
		}
		want, known := strings.CutPrefix(string(p.exchange(t, []byte(b.String()))), "yes")
		got, err := g.AppendJSON(nil, 1<<20)
		if known != (err == nil) || known && string(got) != want {
			t.Fatalf("%q:\ngot   %s %v,\nPHP's %s", b.String(), got, err, want)
		}
		if known && !json.Valid(got) {
			t.Fatalf("%s is no JSON", got)
		}
	})
}
