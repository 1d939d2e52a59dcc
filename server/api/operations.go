package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"groupcast/loop"
)

// The table of what the API does, and the OpenAPI document that is made of it.

// apiVersion is that of the contract, not of the program.
const apiVersion = "1.0.0"

const schemas = "#/components/schemas/"

// spec is one row of the table.
type spec struct {
	kind

	method, path         string
	status               int // of success
	tag, summary, detail string
	problems             []int // statuses that it can fail with, beside those that all can
}

// register makes every operation, and the document.
func (a *API) register() error {
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "groupcast",
				Version:     apiVersion,
				Description: "Publish to groups of WebSocket clients, see who is there, and move or close them.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry(schemas, huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "Wanted where the server was given tokens."},
				},
			},
		},
		// "json" is what huma looks for when it writes application/problem+json.
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{stamp},
	}
	config.AllowAdditionalPropertiesByDefault = true // clients must ignore what is new in answers
	h := humago.New(a.mux, config)
	config.Components.Schemas.Schema(reflect.TypeFor[problem](), true, "")

	add(a, h, spec{
		kind:   kind{id: "publish-message", body: textBody},
		method: http.MethodPost, path: "/v1/groups/{group}/messages", status: http.StatusAccepted,
		tag: "publish", summary: "Publish the body as one message",
		detail: "The body is the message, verbatim: UTF-8 characters, whatever the Content-Type says (also application/json and what curl -d sends). " +
			"Every member of the group gets one text frame. A group that nobody is in is no error.",
		problems: []int{408, 413, 415},
	}, a.publishMessage)
	add(a, h, spec{
		kind:   kind{id: "publish", body: jsonBody},
		method: http.MethodPost, path: "/v1/publish", status: http.StatusAccepted,
		tag: "publish", summary: "Publish to several groups, or a batch",
		detail: "One object, or an array of them, which are published in their order. An object goes to all its groups or to none. A batch is not " +
			"atomic: its answer has one result for each item, an order or a problem. With a body that is not valid JSON nothing is published.",
		problems: []int{408, 413, 415},
	}, a.publishBatch)
	add(a, h, spec{
		kind:   kind{id: "list-groups"},
		method: http.MethodGet, path: "/v1/groups", status: http.StatusOK,
		tag: "groups", summary: "List groups and how many members they have",
		detail: "In the order of the names' bytes. Each page looks at every group there is: this is for people and for tidying up, not for polling.",
	}, a.listGroups)
	add(a, h, spec{
		kind:   kind{id: "get-group"},
		method: http.MethodGet, path: "/v1/groups/{group}", status: http.StatusOK,
		tag: "groups", summary: "Count a group's members", problems: []int{404},
	}, a.getGroup)
	add(a, h, spec{
		kind:   kind{id: "delete-group"},
		method: http.MethodDelete, path: "/v1/groups/{group}", status: http.StatusNoContent,
		tag: "groups", summary: "Have everyone leave a group", problems: []int{404},
		detail: "Who joins meanwhile may stay.",
	}, a.deleteGroup)
	add(a, h, spec{
		kind:   kind{id: "put-member"},
		method: http.MethodPut, path: "/v1/groups/{group}/members/{session}", status: http.StatusNoContent,
		tag: "groups", summary: "Make a session join a group", problems: []int{404, 409},
		detail: "Everything published after the answer reaches it. 409 says which limit is reached.",
	}, a.putMember)
	add(a, h, spec{
		kind:   kind{id: "delete-member"},
		method: http.MethodDelete, path: "/v1/groups/{group}/members/{session}", status: http.StatusNoContent,
		tag: "groups", summary: "Make a session leave a group", problems: []int{404},
		detail: "It need not be in the group.",
	}, a.deleteMember)
	add(a, h, spec{
		kind:   kind{id: "list-sessions"},
		method: http.MethodGet, path: "/v1/sessions", status: http.StatusOK,
		tag: "sessions", summary: "List sessions",
	}, a.listSessions)
	add(a, h, spec{
		kind:   kind{id: "get-session"},
		method: http.MethodGet, path: "/v1/sessions/{session}", status: http.StatusOK,
		tag: "sessions", summary: "Show a session and its groups", problems: []int{404},
	}, a.getSession)
	add(a, h, spec{
		kind:   kind{id: "delete-session"},
		method: http.MethodDelete, path: "/v1/sessions/{session}", status: http.StatusNoContent,
		tag: "sessions", summary: "Close a session", problems: []int{404},
		detail: "Its close handshake has begun when the answer comes.",
	}, a.deleteSession)
	add(a, h, spec{
		kind:   kind{id: "get-status"},
		method: http.MethodGet, path: "/v1/status", status: http.StatusOK,
		tag: "server", summary: "How the server is doing",
		detail: "The last sample, which is taken once a second.",
	}, a.getStatus)
	add(a, h, spec{
		kind:   kind{id: "healthz", public: true, health: true},
		method: http.MethodGet, path: "/healthz", status: http.StatusOK,
		tag: "server", summary: "Is the process alive?",
	}, a.healthz)
	add(a, h, spec{
		kind:   kind{id: "readyz", public: true, health: true},
		method: http.MethodGet, path: "/readyz", status: http.StatusOK,
		tag: "server", summary: "Should new clients come here?",
		detail: "503 while the server drains or an event loop does not answer; the problem's detail says why.",
	}, a.readyz)
	add(a, h, spec{
		kind:   kind{id: "metrics"},
		method: http.MethodGet, path: "/metrics", status: http.StatusOK,
		tag: "server", summary: "Metrics for Prometheus", problems: []int{404},
	}, a.getMetrics)

	describeByHand(h.OpenAPI())
	return a.addDocument(h.OpenAPI())
}

// add registers one operation with huma, and what this package keeps of it.
func add[In, Out any](a *API, h huma.API, s spec, handler func(context.Context, *In) (*Out, error)) {
	described := huma.Operation{
		OperationID: s.id, Method: s.method, Path: s.path, DefaultStatus: s.status,
		Tags: []string{s.tag}, Summary: s.summary, Description: s.detail,
		Responses: map[string]*huma.Response{strconv.Itoa(s.status): {Description: http.StatusText(s.status)}},
		Security:  []map[string][]string{},
	}
	statuses := append([]int{http.StatusServiceUnavailable}, s.problems...)
	if !s.public {
		described.Security = []map[string][]string{{"token": {}}, {}} // or none, where the server has none
		statuses = append(statuses, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity)
	}
	if s.id == "healthz" {
		statuses = nil
	}
	for _, status := range statuses {
		described.Responses[strconv.Itoa(status)] = problemResponse(http.StatusText(status))
	}
	described.Responses["default"] = problemResponse("Any other error")
	huma.Register(h, described, handler)
	a.operations[s.method+" "+s.path] = &operation{kind: s.kind}
}

func problemResponse(description string) *huma.Response {
	return &huma.Response{
		Description: description,
		Content:     map[string]*huma.MediaType{problemType: {Schema: &huma.Schema{Ref: schemas + "Problem"}}},
	}
}

// describeByHand adds what huma cannot know: bodies that it does not read, and
// answers of more than one form.
func describeByHand(doc *huma.OpenAPI) {
	one := func(n int) *int { return &n }
	doc.Paths["/v1/groups/{group}/messages"].Post.RequestBody = &huma.RequestBody{
		Description: "The message. Its Content-Type is not looked at, but for a charset other than UTF-8 and for multipart, which are refused.",
		Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
	known := doc.Components.Schemas.Map()
	delete(known, "ErrorModel") // huma's own errors, which never get out
	delete(known, "ErrorDetail")
	known["Publication"] = &huma.Schema{
		Type:                 huma.TypeObject,
		AdditionalProperties: false,
		Required:             []string{"groups", "message"},
		Properties: map[string]*huma.Schema{
			"groups": {
				Type: huma.TypeArray, MinItems: one(1), MaxItems: one(loop.MaxPublicationGroups),
				Description: "Names of groups; 123 is \"123\". They get the message one after the other; a member of two of them gets it twice.",
				Items:       &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeInteger}}},
			},
			"message": {Description: "A string is delivered as its characters, any other JSON value as its text, verbatim."},
			"exclude": {
				Type: huma.TypeArray, MaxItems: one(loop.MaxPublicationExcludes),
				Description: "Sessions that do not get it.",
				Items:       &huma.Schema{Type: huma.TypeString},
			},
		},
	}
	ref := func(name string) *huma.Schema { return &huma.Schema{Ref: schemas + name} }
	publish := doc.Paths["/v1/publish"].Post
	publish.RequestBody = &huma.RequestBody{
		Required: true,
		Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{OneOf: []*huma.Schema{
			ref("Publication"),
			{Type: huma.TypeArray, Items: ref("Publication")},
		}}}},
	}
	publish.Responses[strconv.Itoa(http.StatusAccepted)].Content = map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{OneOf: []*huma.Schema{
		ref("Accepted"),
		{Type: huma.TypeArray, Items: &huma.Schema{OneOf: []*huma.Schema{ref("Accepted"), ref("Problem")}}},
	}}}}
	doc.Paths["/metrics"].Get.Responses[strconv.Itoa(http.StatusOK)].Content = map[string]*huma.MediaType{
		"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}},
	}
}

// addDocument serves the document, made once.
func (a *API) addDocument(doc *huma.OpenAPI) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("describe the api: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		return fmt.Errorf("describe the api: %w", err)
	}
	indented.WriteByte('\n')
	a.document = indented.Bytes()
	const pattern = "GET /openapi.json"
	a.operations[pattern] = &operation{kind: kind{id: "openapi", public: true}}
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(a.document)))
		_, _ = w.Write(a.document)
	})
	return nil
}
