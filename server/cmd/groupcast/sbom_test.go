package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bill is what is looked at of a CycloneDX document.
type bill struct {
	Metadata struct {
		Component  component
		Properties []struct{ Name, Value string }
	}
	Components []component
}

type component struct {
	Name, Version, Purl string
	Hashes              []struct{ Alg, Content string }
}

// The bill of materials that `make sbom` has just written has what the binary beside it says of
// itself, and nothing else.
func TestSBOM(t *testing.T) {
	t.Parallel()
	path := os.Getenv("SBOM")
	if path == "" {
		t.Skip("make sbom makes one, and tests it")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bill
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(filepath.Dir(path), "groupcast")
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]component{"std": {Version: info.GoVersion}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Version: m.Version, Purl: "pkg:golang/" + m.Path + "@" + m.Version}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
		if err != nil {
			t.Fatal(err)
		}
		c.Hashes = append(c.Hashes, struct{ Alg, Content string }{"SHA-256", hex.EncodeToString(sum)})
		want[m.Path] = c
	}
	for _, c := range b.Components {
		w, ok := want[c.Name]
		delete(want, c.Name)
		switch {
		case !ok:
			t.Errorf("%s %s is not in the binary", c.Name, c.Version)
		case c.Version != w.Version || !strings.HasPrefix(c.Purl, w.Purl):
			t.Errorf("%s: got %s, %s, want %s", c.Name, c.Version, c.Purl, w.Version)
		case len(w.Hashes) > 0 && (len(c.Hashes) != 1 || c.Hashes[0] != w.Hashes[0]):
			t.Errorf("%s: got %v, want %v", c.Name, c.Hashes, w.Hashes)
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	if got := b.property("cdx:gomod:binary:hash:SHA-256"); got != hex.EncodeToString(sum[:]) {
		t.Errorf("it is of another binary: %q", got)
	}
	if c := b.Metadata.Component; c.Name != "groupcast" || c.Version == "" || c.Version != os.Getenv("VERSION") {
		t.Errorf("got %+v, want version %q", c, os.Getenv("VERSION"))
	}
}

func (b *bill) property(name string) string {
	for _, one := range b.Metadata.Properties {
		if one.Name == name {
			return one.Value
		}
	}
	return ""
}
