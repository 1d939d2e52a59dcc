package workerman

import (
	"bytes"
	"encoding/binary"
	"io"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// php is a running program of testdata.
type php struct {
	in  io.WriteCloser
	out io.Reader
}

// startPHP skips the test where there is no PHP.
func startPHP(t *testing.T, program string) *php {
	t.Helper()
	path, err := exec.LookPath("php")
	if err != nil {
		t.Skip("NO PHP: not compared with the real one; to do so: sudo apt-get install php-cli")
	}
	cmd := exec.Command(path, "-n", program)
	p := &php{}
	if p.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if p.out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.in.Close()
		_ = cmd.Wait()
	})
	return p
}

// verdict is what PHP says to a body.
type verdict struct {
	ok      bool
	typ     string
	answers [][]byte
}

// exchange sends a body and returns what PHP answers.
func (p *php) exchange(t *rapid.T, body []byte) []byte {
	if _, err := p.in.Write(frameOf(string(body))); err != nil {
		t.Fatal(err)
	}
	var length [4]byte
	if _, err := io.ReadFull(p.out, length[:]); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint32(length[:])-4)
	if _, err := io.ReadFull(p.out, answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func (p *php) ask(t *rapid.T, body []byte) verdict {
	answer := p.exchange(t, body)
	rest, ok := strings.CutPrefix(string(answer), "yes\n")
	if !ok {
		return verdict{}
	}
	typ, frames, _ := strings.Cut(rest, "\n")
	answers, _ := naiveSplit([]byte(frames), 1<<30)
	return verdict{true, typ, answers}
}

// TestPHP: what PHP programs send is answered byte for byte as a server written
// in PHP would.
func TestPHP(t *testing.T) {
	p := startPHP(t, "testdata/oracle.php")
	d := NewDecoder(DefaultLimits())
	rapid.Check(t, func(t *rapid.T) {
		body := drawBody(t)
		v := p.ask(t, body)
		var m Message
		if err := d.Decode(body, &m); err != nil || !v.ok || m.Type.String() != v.typ {
			t.Fatalf("%q: %v, PHP says %v", body, err, v)
		}
		if m.Type.HasData() && len(v.answers) != len(m.Channels) {
			t.Fatalf("%q: %d channels, PHP has %d", body, len(m.Channels), len(v.answers))
		}
		for i, want := range v.answers {
			if got := answerTo(&m, i)[HeaderBytes:]; !bytes.Equal(got, want) {
				t.Fatalf("%q:\nanswer %q\nPHP's  %q", body, got, want)
			}
		}
	})
}

// TestPHPSpoilt: what is accepted, PHP understands, and in the same way; what
// PHP understands is refused only for a reason that is known.
func TestPHPSpoilt(t *testing.T) {
	p := startPHP(t, "testdata/oracle.php")
	d := NewDecoder(DefaultLimits())
	rapid.Check(t, func(t *rapid.T) {
		body := drawSpoilt(t)
		v := p.ask(t, body)
		var m Message
		err := d.Decode(body, &m)
		if err != nil {
			if v.ok && knownType(v.typ) && !stricter(err, body) {
				t.Fatalf("%q: %v, and PHP understands it: %v", body, err, v)
			}
			return
		}
		if !v.ok || m.Type.String() != v.typ {
			t.Fatalf("%q: accepted, PHP says %v", body, v)
		}
		if len(v.answers) != len(m.Channels) {
			return // the same key twice in the list: PHP keeps one, we take both
		}
		for i, want := range v.answers {
			// PHP writes values anew: let it do so with ours.
			got := p.ask(t, answerTo(&m, i)[HeaderBytes:])
			if len(got.answers) != 1 || !bytes.Equal(got.answers[0], want) {
				t.Fatalf("%q:\nanswer %q\nPHP's  %q", body, got.answers, want)
			}
		}
	})
}

func knownType(name string) bool {
	for t := TypeSubscribe; t < Types; t++ {
		if t.String() == name {
			return true
		}
	}
	return false
}

// stricter says whether the body is one of those that PHP takes and we do not.
func stricter(err *Error, body []byte) bool {
	switch err.Reason {
	case ReasonObject, ReasonReference, ReasonChannels, ReasonType:
		return true // see doc.go
	default:
	}
	var p naive
	if root, rest := p.parse(string(body), false, 0); root != nil {
		return strings.Trim(rest, "\n") != "" // PHP does not look at what follows
	}
	// An integer beyond 64 bits, which PHP changes; an escaped string.
	return hasLongInteger(body) || bytes.Contains(body, []byte("S:"))
}

func hasLongInteger(body []byte) bool {
	for _, part := range bytes.FieldsFunc(body, func(r rune) bool { return r < '0' || r > '9' }) {
		if !fits(part, false) {
			return true
		}
	}
	return false
}
