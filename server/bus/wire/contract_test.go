package wire

import (
	"os"
	"strings"
	"testing"
)

// The contract names every header, and every reason that a requester may be answered with.
func TestContract(t *testing.T) {
	text, err := os.ReadFile("../../../protocol/WIRE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "### NATS messages\n")
	if !ok {
		t.Fatal("WIRE.md has no section on NATS messages")
	}
	for _, name := range headerNames {
		if !strings.Contains(section, "`"+name+"`") {
			t.Errorf("no %s", name)
		}
	}
	_, codes, _ := strings.Cut(section, "| code |")
	for r := range Reasons {
		// Requesters are foreign publishers, who have no subject of the nodes among themselves.
		if has := strings.Contains(codes, "`"+r.String()+"`"); has != (r != ReasonControl) {
			t.Errorf("%s: %v", r, has)
		}
	}
	example := string(NewReply(Place{"web-1", 0x00c0ffee12345678, 42}).JSON())
	if !strings.Contains(strings.ReplaceAll(section, "\n", ""), example) {
		t.Errorf("no answer %s", example)
	}
	if !strings.Contains(section, SessionText("web-1", 0x00c0ffee12345678, "0-1f-3")) {
		t.Error("no session of a cluster")
	}
}
