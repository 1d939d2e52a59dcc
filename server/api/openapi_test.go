package api

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"groupcast/loop"
	"groupcast/server/monitor"
	details "groupcast/server/problem"
)

// description is openapi.json as the tests use it: every answer that any test gets
// has to be as it says.
type description struct {
	Paths      map[string]map[string]*described
	Components struct {
		Parameters map[string]parameter
		Responses  map[string]response
		Schemas    map[string]schema
	}

	mux      *http.ServeMux
	compiler *jsonschema.Compiler
	mu       sync.Mutex // guards compiled
	compiled map[string]*jsonschema.Schema
}

type described struct {
	OperationID string
	Parameters  []parameter
	Responses   map[string]response
	Security    []map[string][]string
	at          string // JSON pointer
}

type parameter struct {
	Ref    string `json:"$ref"`
	Name   string
	In     string
	Schema schema
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]any
}

type schema struct {
	Ref                       string `json:"$ref"`
	Type                      any
	Properties                map[string]schema
	Required                  []string
	Items                     *schema
	Minimum, Maximum, Default *int
}

const documentURL = "http://groupcast.test/openapi.json"

var describedAPI = sync.OnceValue(func() *description {
	d := &description{
		mux: http.NewServeMux(), compiler: jsonschema.NewCompiler(),
		compiled: make(map[string]*jsonschema.Schema),
	}
	if err := json.Unmarshal(document, d); err != nil {
		panic(err)
	}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(documentURL, parsed(document)); err != nil {
		panic(err)
	}
	pointer := strings.NewReplacer("~", "~0", "/", "~1")
	for path, methods := range d.Paths {
		for method, op := range methods {
			op.at = "/paths/" + pointer.Replace(path) + "/" + method
			d.mux.Handle(strings.ToUpper(method)+" "+path, op)
		}
	}
	return d
})

// ServeHTTP makes an operation what a mux can find.
func (*described) ServeHTTP(http.ResponseWriter, *http.Request) {}

func parsed(text []byte) any {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	return value
}

// schema compiles the one at a JSON pointer.
func (d *description) schema(at string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.compiled[at]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile(documentURL + "#" + at)
	d.compiled[at] = s
	return s, err
}

// asDescribed checks an answer: its status, type and body. r is what was asked.
func (a *answer) asDescribed(r *http.Request) {
	a.t.Helper()
	d := describedAPI()
	h, _ := d.mux.Handler(r)
	op, ok := h.(*described)
	if !ok {
		return // no operation: the page, or nothing
	}
	status := strconv.Itoa(a.status)
	at := op.at + "/responses/" + status
	answer, ok := op.Responses[status]
	if !ok && a.status >= http.StatusBadRequest {
		answer, at = op.Responses["default"], op.at+"/responses/default"
	} else if !ok {
		a.t.Errorf("%s: status %s is not described", a.what, status)
		return
	}
	if answer.Ref != "" {
		at = strings.TrimPrefix(answer.Ref, "#")
		answer = d.Components.Responses[at[strings.LastIndexByte(at, '/')+1:]]
	}
	if r.Method == http.MethodHead {
		return
	}
	if len(answer.Content) == 0 {
		if a.body != "" {
			a.t.Errorf("%s: a body that is not described: %q", a.what, a.body)
		}
		return
	}
	media, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || answer.Content[media] == nil {
		a.t.Errorf("%s: Content-Type %q is not described", a.what, a.header.Get("Content-Type"))
		return
	}
	var body any = a.body
	if media != "text/plain" {
		if body, err = jsonschema.UnmarshalJSON(strings.NewReader(a.body)); err != nil {
			a.t.Errorf("%s: %v", a.what, err)
			return
		}
	}
	s, err := d.schema(at + "/content/" + strings.ReplaceAll(media, "/", "~1") + "/schema")
	if err == nil {
		err = s.Validate(body)
	}
	if err != nil {
		a.t.Errorf("%s: %s is not as described: %v", a.what, a.body, err)
	}
}

// TestDescriptionIsOpenAPI: it is valid by the published schema of OpenAPI 3.1, and
// what it says of bodies is JSON Schema.
func TestDescriptionIsOpenAPI(t *testing.T) {
	published, err := os.ReadFile("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	const url = "https://spec.openapis.org/oas/3.1/schema/2022-10-07"
	if err := c.AddResource(url, parsed(published)); err != nil {
		t.Fatal(err)
	}
	openapi, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	if err := openapi.Validate(parsed(document)); err != nil {
		t.Errorf("openapi.json: %v", err)
	}
	broken := bytes.Replace(document, []byte(`"operationId"`), []byte(`"operationID"`), 1)
	if openapi.Validate(parsed(broken)) == nil {
		t.Error("a misspelt name is valid: nothing is checked here")
	}
	for name := range describedAPI().Components.Schemas {
		if _, err := describedAPI().schema("/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	h := fakeAPI(t, &fake{}, nil).Handler(true)
	if got := ask(t, h, request("GET", "/openapi.json", "")).want(200); got.body != string(document) ||
		got.header.Get("Content-Type") != "application/json" {
		t.Errorf("served %d bytes as %q", len(got.body), got.header.Get("Content-Type"))
	}
}

// TestDescriptionIsComplete: each operation is described and each description
// served, under the same name; and it says which want a token.
func TestDescriptionIsComplete(t *testing.T) {
	a := fakeAPI(t, &fake{}, nil)
	n := 0
	for path, methods := range describedAPI().Paths {
		for method, op := range methods {
			n++
			served := a.operations[strings.ToUpper(method)+" "+path]
			if served == nil || served.id != op.OperationID {
				t.Errorf("%s %s is described as %q and served as %v", method, path, op.OperationID, served)
			} else if op.Security == nil || served.public != (len(op.Security) == 0) {
				t.Errorf("%s: public %v, security %v", served.id, served.public, op.Security)
			}
		}
	}
	if n != len(a.operations) {
		t.Errorf("%d operations are served, %d described", len(a.operations), n)
	}
}

// TestDescribedStructs: a schema has the fields of the struct that is sent.
func TestDescribedStructs(t *testing.T) {
	schemas := describedAPI().Components.Schemas
	for name, value := range map[string]any{
		"Accepted": accepted{}, "Joined": joined{}, "GroupsPage": groupsPage{}, "GroupInfo": loop.GroupInfo{},
		"SessionsPage": sessionsPage{},
		"SessionInfo":  sessionInfo{}, "GroupOfAll": groupOfAll{}, "ClusterPage": clusterPage{},
		"ClusterMember": clusterMember{},
		"Health":        health{}, "Problem": problem{}, "FieldError": details.FieldError{}, "Status": monitor.Status{},
		"Listener": monitor.Listener{},
		"History":  monitor.History{}, "Samples": monitor.Samples{}, "Event": monitor.Event{},
		"Reactor": monitor.Reactor{}, "Group": monitor.Group{}, "Channel": monitor.Channel{},
		"ChannelJoin": monitor.ChannelJoin{}, "Cluster": monitor.Cluster{}, "ClusterNode": monitor.ClusterNode{},
	} {
		s := schemas[name]
		var required []string
		fields := 0
		for _, field := range reflect.VisibleFields(reflect.TypeOf(value)) {
			tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !field.IsExported() || tag == "-" || field.Anonymous {
				continue
			}
			fields++
			p, ok := s.Properties[tag]
			if !ok {
				t.Errorf("%s.%s is sent and not described", name, tag)
				continue
			}
			// The control socket's problems can be without these two; the API's are not.
			always := name+"."+tag == "Problem.code" || name+"."+tag == "FieldError.location"
			if always || !strings.Contains(options, "omitempty") {
				required = append(required, tag)
			}
			compareType(t, name+"."+tag, field.Type, p)
		}
		if slices.Sort(required); fields != len(s.Properties) ||
			!slices.Equal(required, slices.Sorted(slices.Values(s.Required))) {
			t.Errorf("%s: %d fields are sent, %d described; always there are %q, required %q", name, fields, len(s.Properties),
				required, s.Required)
		}
	}
}

// compareType compares a field with what is said of it.
func compareType(t *testing.T, name string, field reflect.Type, s schema) {
	t.Helper()
	if field.Kind() == reflect.Pointer {
		field = field.Elem()
	}
	want := map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Float64: "number", reflect.Slice: "array",
		reflect.Array: "array",
		reflect.Int:   "integer", reflect.Int64: "integer", reflect.Uint64: "integer", reflect.Uint32: "integer",
		reflect.Struct: "object",
	}[field.Kind()]
	if s.Ref != "" && s.Ref != "#/components/schemas/"+strings.ToUpper(field.Name()[:1])+field.Name()[1:] {
		t.Errorf("%s is a %s, described as %s", name, field, s.Ref)
	}
	got, _ := s.Type.(string)
	if either, ok := s.Type.([]any); ok && len(either) == 2 && either[1] == "null" {
		got, _ = either[0].(string)
	}
	if s.Ref != "" {
		got = "object"
	}
	if field.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()) {
		want = "string"
	}
	if got != want {
		t.Errorf("%s is a %s, described as %v", name, field, s.Type)
	}
	if want == "array" && s.Items != nil {
		compareType(t, name+"[]", field.Elem(), *s.Items)
	}
}

// TestDescribedParameters: what is described is taken, within its bounds and no
// further; anything else is refused.
func TestDescribedParameters(t *testing.T) {
	d := describedAPI()
	f := &fake{}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "up 1\n")
	})
	h := fakeAPI(t, f, func(o *Options) { o.Metrics, o.Monitor = page, ready{} }).Handler(false)
	for path, methods := range d.Paths {
		target := strings.NewReplacer("{group}", "g", "{session}", "0-1-1").Replace(path)
		for method, op := range methods {
			status := func(query string) int {
				t.Helper()
				body := ""
				if op.OperationID == "publish" {
					body = `{"groups":["g"],"message":1}`
				}
				return ask(t, h, request(strings.ToUpper(method), target+query, body)).status
			}
			if got := status(""); got >= 300 {
				t.Errorf("%s: %d", op.OperationID, got)
			}
			if got := status("?unknown=1"); got != 422 {
				t.Errorf("%s with an unknown parameter: %d", op.OperationID, got)
			}
			for _, p := range op.Parameters {
				if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
					p = d.Components.Parameters[name]
				}
				switch {
				case p.In == "path" && !strings.Contains(path, "{"+p.Name+"}"):
					t.Errorf("%s: %s is not in the path", op.OperationID, p.Name)
				case p.In == "path":
				case p.Schema.Minimum != nil:
					low, high := *p.Schema.Minimum, *p.Schema.Maximum
					for n, want := range map[int]bool{low - 1: false, low: true, *p.Schema.Default: true, high: true, high +
						1: false} {
						if got := status("?" + p.Name + "=" + strconv.Itoa(n)); (got < 300) != want {
							t.Errorf("%s?%s=%d: %d", op.OperationID, p.Name, n, got)
						}
					}
				default:
					if got := status("?" + p.Name + "=0-1-1"); got >= 300 {
						t.Errorf("%s?%s: %d", op.OperationID, p.Name, got)
					}
				}
			}
		}
	}
	ask(t, h, request("GET", "/v1/groups", ""))
	if want := describedDefault(d.Paths["/v1/groups"]["get"], "limit"); f.limit != want {
		t.Errorf("a page has %d by default, described as %d", f.limit, want)
	}
	ask(t, h, request("DELETE", "/v1/sessions/0-1-1", ""))
	if want := describedDefault(d.Paths["/v1/sessions/{session}"]["delete"], "code"); int(f.code) != want {
		t.Errorf("closed with %d by default, described as %d", f.code, want)
	}
}

func describedDefault(op *described, name string) int {
	for _, p := range op.Parameters {
		if p.Name == name {
			return *p.Schema.Default
		}
	}
	return 0
}

// TestDescribedBodies: a body that is taken is valid, and one that a program would
// find wrong by the description is refused.
func TestDescribedBodies(t *testing.T) {
	s, err := describedAPI().schema("/paths/~1v1~1publish/post/requestBody/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	h := fakeAPI(t, &fake{}, nil).Handler(false)
	for body, want := range map[string]bool{
		`{"groups":["a",1],"message":null}`:                                                   true,
		`{"groups":["a"],"message":"","exclude":["0-1-1"]}`:                                   true,
		`{"users":["a",1],"message":null}`:                                                    true,
		`{"users":["a"],"groups":["a"],"message":""}`:                                         true,
		`{"users":[],"groups":["a"],"message":1}`:                                             false,
		`{"users":"a","message":1}`:                                                           false,
		`{"users":[{}],"message":1}`:                                                          false,
		`{"users":["a"` + strings.Repeat(`,"a"`, loop.MaxPublicationUsers) + `],"message":1}`: false,
		`[]`:                                         true,
		`[{"groups":["a"],"message":[{}]}]`:          true,
		`{"groups":[],"message":1}`:                  false,
		`{"groups":["a"]}`:                           false,
		`{"message":1}`:                              false,
		`{"groups":"a","message":1}`:                 false,
		`{"groups":[null],"message":1}`:              false,
		`{"groups":["a"],"message":1,"x":1}`:         false,
		`{"groups":["a"],"message":1,"exclude":[1]}`: false,
		`1`: false,
		`{"groups":["a"` + strings.Repeat(`,"a"`, loop.MaxPublicationGroups) +
			`],"message":1}`: false,
		`{"groups":["a"],"message":1,"exclude":["0-1-1"` + strings.Repeat(`,"0-1-1"`, loop.MaxPublicationExcludes) +
			`]}`: false,
	} {
		if err := s.Validate(parsed([]byte(body))); (err == nil) != want {
			t.Errorf("%.60s is described as %v", body, err)
		}
		if got := ask(t, h, request("POST", "/v1/publish", body)); (got.status < 300) != want {
			t.Errorf("%.60s: %d", body, got.status)
		}
	}
}
