package workerman

import (
	"fmt"
	"strings"
	"testing"
)

// publishOf is a publish to channel c with this data.
func publishOf(data string) string {
	return `a:3:{s:4:"type";s:7:"publish";s:8:"channels";a:1:{i:0;s:1:"c";}s:4:"data";` + data + `}`
}

// nested is depth arrays in each other.
func nested(depth int) string {
	return strings.Repeat("a:1:{i:0;", depth-1) + "a:0:{}" + strings.Repeat("}", depth-1)
}

// list is an array of n channels.
func list(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "a:%d:{", n)
	for i := range n {
		fmt.Fprintf(&b, `i:%d;i:%d;`, i, i)
	}
	return b.String() + "}"
}

func TestRefused(t *testing.T) {
	limits := Limits{MaxDepth: 5, MaxChannels: 3}
	const accepted = Reasons
	for name, test := range map[string]struct {
		body string
		want Reason
	}{
		"object":                  {publishOf(`O:8:"stdClass":0:{}`), ReasonObject},
		"object in an array":      {publishOf(`a:1:{i:0;O:8:"stdClass":1:{s:1:"a";i:1;}}`), ReasonObject},
		"object of its own code":  {publishOf(`C:11:"ArrayObject":21:{x:i:0;a:0:{};m:a:0:{}}`), ReasonObject},
		"enum":                    {publishOf(`E:7:"Suit:He";`), ReasonObject},
		"object as the message":   {`O:8:"stdClass":1:{s:4:"type";s:7:"reserve";}`, ReasonObject},
		"object as the type":      {`a:1:{s:4:"type";O:8:"stdClass":0:{}}`, ReasonObject},
		"object as a key":         {publishOf(`a:1:{O:8:"stdClass":0:{}i:0;}`), ReasonSyntax},
		"object reference":        {publishOf(`a:2:{i:0;N;i:1;r:6;}`), ReasonReference},
		"escaped string":          {publishOf(`S:1:"\41";`), ReasonSyntax},
		"reference to the list":   {publishOf(`a:1:{i:0;R:3;}`), ReasonReference},
		"reference to the data":   {publishOf(`a:1:{i:0;R:5;}`), ReasonReference},
		"reference to a value":    {publishOf(`a:2:{i:0;N;i:1;R:6;}`), accepted},
		"reference to the future": {publishOf(`a:2:{i:0;R:7;i:1;N;}`), ReasonReference},
		"reference to nothing":    {publishOf(`a:2:{i:0;N;i:1;R:0;}`), ReasonReference},
		"reference, far":          {publishOf(`a:2:{i:0;N;i:1;R:99999999999999999999999999;}`), ReasonReference},
		"reference without":       {publishOf(`a:2:{i:0;N;i:1;R:;}`), ReasonSyntax},
		"data is a reference":     {publishOf(`R:2;`), ReasonReference},
		"type is a reference":     {`a:2:{i:0;s:7:"reserve";s:4:"type";R:2;}`, ReasonType},
		"list is a reference":     {`a:3:{i:0;a:0:{}s:4:"type";s:9:"subscribe";s:8:"channels";R:2;}`, ReasonChannels},
		"channel is a reference":  {`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:2:{i:0;i:1;i:1;R:4;}}`, ReasonChannels},
		"depth at its limit":      {publishOf(nested(4)), accepted},
		"depth over its limit":    {publishOf(nested(5)), ReasonDepth},
		"depth, unknown key":      {`a:2:{s:4:"type";s:7:"reserve";s:1:"x";` + nested(5) + `}`, ReasonDepth},
		"depth without an end":    {strings.Repeat("a:1:{i:0;", 10), ReasonDepth},
		"channels at the limit":   {`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";` + list(3) + `}`, accepted},
		"channels over it":        {`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";` + list(4) + `}`, accepted},
		"no type":                 {`a:1:{s:8:"channels";a:0:{}}`, ReasonType},
		"unknown type":            {`a:2:{s:4:"type";s:4:"none";s:8:"channels";a:0:{}}`, ReasonType},
		"type in capitals":        {`a:2:{s:4:"type";s:9:"Subscribe";s:8:"channels";a:0:{}}`, ReasonType},
		"type is true":            {`a:2:{s:4:"type";b:1;s:8:"channels";a:0:{}}`, ReasonType},
		"no array":                {`s:7:"publish";`, ReasonType},
		"null":                    {`N;`, ReasonType},
		"empty array":             {`a:0:{}`, ReasonType},
		"no channels":             {`a:1:{s:4:"type";s:9:"subscribe";}`, ReasonChannels},
		"no channels, publish":    {`a:2:{s:4:"type";s:7:"publish";s:4:"data";N;}`, ReasonChannels},
		"a channel, no list":      {`a:2:{s:4:"type";s:9:"subscribe";s:7:"channel";s:1:"c";}`, ReasonChannels},
		"a list, no channel":      {`a:2:{s:4:"type";s:5:"event";s:8:"channels";a:1:{i:0;i:1;}}`, ReasonChannels},
		"channels is a string":    {`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";s:1:"c";}`, ReasonChannels},
		"channel is null":         {`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:1:{i:0;N;}}`, ReasonChannels},
		"channel is a float":      {`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:1:{i:0;d:1.5;}}`, ReasonChannels},
		"channel is an array":     {`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:1:{i:0;a:0:{}}}`, ReasonChannels},
		"JSON":                    {`{"type":"publish"}`, ReasonSyntax},
		"one byte":                {`a`, ReasonSyntax},
		"space behind":            {publishOf(`N;`) + " ", ReasonSyntax},
		"a second value":          {publishOf(`N;`) + "N;", ReasonSyntax},
		"newline inside":          {"a:1:{\ns:4:\"type\";s:7:\"reserve\";}", ReasonSyntax},
		"length too small":        {publishOf(`s:1:"ab";`), ReasonSyntax},
		"length too large":        {publishOf(`s:3:"ab";`), ReasonSyntax},
		"length beyond the end":   {publishOf(`s:999:"ab";`), ReasonSyntax},
		"length beyond 64 bits":   {publishOf(`s:18446744073709551618:"ab";`), ReasonSyntax},
		"length is negative":      {publishOf(`s:-1:"ab";`), ReasonSyntax},
		"count beyond the end":    {publishOf(`a:1000000000:{i:0;N;}`), ReasonSyntax},
		"count beyond 64 bits":    {publishOf(`a:18446744073709551617:{i:0;N;}`), ReasonSyntax},
		"count too small":         {publishOf(`a:0:{i:0;N;}`), ReasonSyntax},
		"count too large":         {publishOf(`a:2:{i:0;N;}`), ReasonSyntax},
		"key is null":             {publishOf(`a:1:{N;N;}`), ReasonSyntax},
		"key is an array":         {publishOf(`a:1:{a:0:{}N;}`), ReasonSyntax},
		"integer over 64 bits":    {publishOf(`i:9223372036854775808;`), ReasonSyntax},
		"integer under 64 bits":   {publishOf(`i:-9223372036854775809;`), ReasonSyntax},
		"integer, many zeros":     {publishOf(`i:-0000000000000000000000009223372036854775808;`), accepted},
		"integer without digits":  {publishOf(`i:-;`), ReasonSyntax},
		"integer of one byte":     {publishOf(`i:`), ReasonSyntax},
		"boolean of two":          {publishOf(`b:2;`), ReasonSyntax},
		"float of a point":        {publishOf(`d:.;`), ReasonSyntax},
		"float without exponent":  {publishOf(`d:1e;`), ReasonSyntax},
		"float in hexadecimal":    {publishOf(`d:0x1p3;`), ReasonSyntax},
		"float, small inf":        {publishOf(`d:inf;`), ReasonSyntax},
		"array without its end":   {`a:1:{s:4:"type";s:7:"reserve";`, ReasonSyntax},
		"string without its end":  {publishOf(`s:2:"ab"`), ReasonSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			var m Message
			err := NewDecoder(limits).Decode([]byte(test.body), &m)
			switch {
			case test.want == accepted && err != nil:
				t.Error(err)
			case test.want != accepted && err == nil:
				t.Errorf("accepted: %+v", m)
			case err != nil && err.Reason != test.want:
				t.Errorf("%v (%v), want %v", err, err.Reason, test.want)
			}
		})
	}
}

// TestCutShort: no part of a body from its beginning is one.
func TestCutShort(t *testing.T) {
	d := NewDecoder(DefaultLimits())
	for _, c := range golden(t) {
		body := strings.TrimRight(string(bytesOf(t, c.In, c.InHex)), "\n")
		for n := range len(body) {
			// Capacity cut, too: a read beyond the end would panic.
			if err := d.Decode([]byte(body)[:n:n], new(Message)); err == nil {
				t.Fatalf("accepted %q", body[:n])
			}
		}
	}
}

// TestChannelForms: the name tells channels apart, its form does not.
func TestChannelForms(t *testing.T) {
	for in, want := range map[string]string{
		`i:123;`: "123", `s:3:"123";`: "123", `i:-5;`: "-5", `i:0;`: "0", `i:-0;`: "0", `i:+5;`: "5", `i:007;`: "7",
		`i:-07;`:      "-7",
		`s:4:"0123";`: "0123", `s:2:"-0";`: "-0", `s:2:"+5";`: "+5", `i:-9223372036854775808;`: "-9223372036854775808",
		`s:20:"-9223372036854775809";`: "-9223372036854775809", `s:0:"";`: "",
	} {
		var m Message
		body := `a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:1:{i:0;` + in + `}}`
		if err := NewDecoder(DefaultLimits()).Decode([]byte(body), &m); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := m.Channels[0]; string(got.Name) != want || got.IsInt != (in[0] == 'i') {
			t.Errorf("%s: %+v, want %s", in, got, want)
		}
	}
}

// TestMessageMark: a groupcast's subscribe names it; PHP programs see nothing of it.
func TestMessageMark(t *testing.T) {
	m := Message{Type: TypeSubscribe, Channels: []Channel{{Name: []byte("c")}}, Mark: []byte("0123456789abcdef")}
	frame := m.AppendFrame(nil)
	const want = `a:3:{s:4:"type";s:9:"subscribe";s:8:"channels";a:1:{i:0;s:1:"c";}s:9:"groupcast";s:16:"0123456789abcdef";}`
	if string(frame[HeaderBytes:]) != want {
		t.Fatalf("%q", frame)
	}
	var back Message
	if err := NewDecoder(DefaultLimits()).Decode(frame[HeaderBytes:], &back); err != nil ||
		string(back.Mark) != string(m.Mark) {
		t.Errorf("%q, %v", back.Mark, err)
	}
	for _, other := range []string{`i:5;`, `a:0:{}`} {
		body := `a:2:{s:4:"type";s:7:"reserve";s:9:"groupcast";` + other + `}`
		if err := NewDecoder(DefaultLimits()).Decode([]byte(body), &back); err != nil || back.Mark != nil {
			t.Errorf("%s: %q, %v", other, back.Mark, err)
		}
	}
}

// TestReferencesLater: data keeps its references right after the decoder has
// gone on, in whatever frame it is put.
func TestReferencesLater(t *testing.T) {
	d := NewDecoder(DefaultLimits())
	const data = `a:2:{i:0;N;i:1;R:%d;}`
	body := []byte(publishOf(fmt.Sprintf(data, 6)))
	var m Message
	if err := d.Decode(body, &m); err != nil {
		t.Fatal(err)
	}
	kept := m.Data.Clone()
	clear(body)
	if err := d.Decode([]byte(publishOf(`a:3:{i:0;N;i:1;R:6;i:2;R:6;}`)), new(Message)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		m    Message
		slot int
	}{
		{Message{Type: TypeEvent, Channels: []Channel{{Name: []byte("x")}}, Data: kept}, 5},
		{Message{Type: TypePublish, Channels: []Channel{{Name: []byte("x")}}, Data: kept}, 6},
		{Message{Type: TypePublish, Channels: make([]Channel, 10), Data: kept}, 15},
		{Message{Type: TypeEnqueue, Data: kept}, 5},
	} {
		frame := test.m.AppendFrame(nil)
		if want := fmt.Sprintf(data, test.slot); !strings.Contains(string(frame), want) {
			t.Errorf("%q, want %s", frame, want)
		}
		var back Message
		if err := d.Decode(frame[HeaderBytes:], &back); err != nil {
			t.Errorf("%q: %v", frame, err)
		}
	}
}

// TestForget: nothing of a body is kept.
func TestForget(t *testing.T) {
	d := NewDecoder(DefaultLimits())
	if err := d.Decode([]byte(`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:2:{i:0;s:1:"c";i:1;s:1:"d";}}`),
		new(Message)); err != nil {
		t.Fatal(err)
	}
	d.Forget()
	for _, c := range d.channels[:cap(d.channels)] {
		if c.Name != nil {
			t.Error("a name is kept")
		}
	}
	if d.scan.in != nil {
		t.Error("the body is kept")
	}
}

// TestDecoderMemory: one large message does not make a decoder large.
func TestDecoderMemory(t *testing.T) {
	d := NewDecoder(DefaultLimits())
	for _, body := range []string{
		`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";` + list(4096) + `}`,
		publishOf(nested(500)),
		publishOf(`a:1001:{i:0;N;` + strings.Repeat("i:1;R:6;", 1000) + `}`),
		`a:1:{s:4:"type";s:7:"reserve";}`,
		`a:1:{s:4:"type";s:7:"reserve";}`,
	} {
		if err := d.Decode([]byte(body), new(Message)); err != nil {
			t.Fatal(err)
		}
	}
	if cap(d.channels) > keepItems || cap(d.scan.open) > keepItems || cap(d.scan.refs) > keepItems {
		t.Errorf("kept: %d channels, %d levels, %d references", cap(d.channels), cap(d.scan.open), cap(d.scan.refs))
	}
}

// TestDecodeBeyondMaxChannels: the first channels are kept, the others counted and checked.
func TestDecodeBeyondMaxChannels(t *testing.T) {
	d := NewDecoder(Limits{MaxDepth: 5, MaxChannels: 3})
	var m Message
	for n := range 6 {
		body := `a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";` + list(n) + `}`
		if err := d.Decode([]byte(body), &m); err != nil || len(m.Channels) != min(n, 3) || m.Beyond != max(0, n-3) {
			t.Errorf("%d channels: %v, %d kept, %d beyond", n, err, len(m.Channels), m.Beyond)
		}
	}
	bad := `a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:4:{i:0;i:0;i:1;i:1;i:2;i:2;i:3;N;}}`
	if err := d.Decode([]byte(bad), &m); err == nil || err.Reason != ReasonChannels {
		t.Errorf("a channel beyond that is null: %v", err)
	}
}
