package api

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The description is the contract: what changes in it is seen in the diff of
// its golden file.
func TestOpenAPIGolden(t *testing.T) {
	a := fakeAPI(t, &fake{}, nil)
	golden := filepath.Join("testdata", "openapi.json")
	if *update {
		if err := os.WriteFile(golden, a.OpenAPI(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(a.OpenAPI()) != string(want) {
		t.Errorf("the description has changed: go test -run OpenAPIGolden -update ./server/api, and look at the diff")
	}
}

// Every request of the contract's table is described, nothing else is, and each
// is served.
func TestOpenAPIIsComplete(t *testing.T) {
	a := fakeAPI(t, &fake{}, nil)
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(a.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
	want := []string{
		"delete /v1/groups/{group}",
		"delete /v1/groups/{group}/members/{session}",
		"delete /v1/sessions/{session}",
		"get /healthz",
		"get /metrics",
		"get /readyz",
		"get /v1/groups",
		"get /v1/groups/{group}",
		"get /v1/sessions",
		"get /v1/sessions/{session}",
		"get /v1/status",
		"post /v1/groups/{group}/messages",
		"post /v1/publish",
		"put /v1/groups/{group}/members/{session}",
	}
	var got []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			got = append(got, method+" "+path)
			served := a.operations[strings.ToUpper(method)+" "+path]
			if served == nil || served.id != op.OperationID {
				t.Errorf("%s %s is described as %q and served as %v", method, path, op.OperationID, served)
			}
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("described:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(a.operations) != len(want)+1 {
		t.Errorf("%d operations are served, %d described (and the description itself)", len(a.operations), len(want))
	}
	// Each reference leads somewhere.
	for part := range strings.SplitSeq(string(a.OpenAPI()), schemas) {
		if name, _, ok := strings.Cut(part, `"`); ok && !strings.Contains(name, "{") && doc.Components.Schemas[name] == nil {
			t.Errorf("there is no schema %q", name)
		}
	}
	answer := ask(t, a.Handler(true), request("GET", "/openapi.json", ""))
	if answer.want(200); answer.body != string(a.OpenAPI()) || answer.header.Get("Content-Type") != "application/json" {
		t.Errorf("served %d bytes as %q", len(answer.body), answer.header.Get("Content-Type"))
	}
}
