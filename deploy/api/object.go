package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Object is an object as JSON decodes it.
type Object = map[string]any

// Ref names an object.
type Ref struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String is Kind/name or Kind/namespace/name.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + "/" + r.Name
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name
}

// RefOf is an object's name.
func RefOf(o Object) Ref {
	return Ref{Text(o, "apiVersion"), Text(o, "kind"), Text(o, "metadata", "namespace"), Text(o, "metadata", "name")}
}

// At is what stands in an object at a path of fields; nil where nothing does.
func At(o Object, path ...string) any {
	var here any = o
	for _, name := range path {
		record, _ := here.(Object)
		here = record[name]
	}
	return here
}

// Text is a text at a path, empty where none is.
func Text(o Object, path ...string) string {
	s, _ := At(o, path...).(string)
	return s
}

// Number is a whole number at a path, 0 where none is.
func Number(o Object, path ...string) int64 {
	switch n := At(o, path...).(type) {
	case float64:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// List is a list of records at a path; what is no record is left out.
func List(o Object, path ...string) []Object {
	list, _ := At(o, path...).([]any)
	var out []Object
	for _, e := range list {
		if r, ok := e.(Object); ok {
			out = append(out, r)
		}
	}
	return out
}

// Gone tells whether an error says that there is no such object, or no such kind.
func Gone(err error) bool { return apierrors.IsNotFound(err) || errors.Is(err, ErrNoKind) }

// Get reads an object.
func (c *Client) Get(ctx context.Context, r Ref) (Object, error) {
	path, err := c.Path(ctx, r)
	if err != nil {
		return nil, err
	}
	return c.JSON(ctx, http.MethodGet, path, nil)
}

// page is how many objects are asked for at once.
const page = "500"

// List reads the objects of a kind: of a namespace or, where it is empty, of all; of
// a name, where the reference has one; of labels, where a selector is given. A kind that
// the server has not has none.
func (c *Client) List(ctx context.Context, r Ref, labels string) ([]Object, error) {
	name := r.Name
	r.Name = ""
	path, err := c.Path(ctx, r)
	if errors.Is(err, ErrNoKind) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Object
	query := url.Values{"limit": {page}}
	if labels != "" {
		query.Set("labelSelector", labels)
	}
	if name != "" {
		query.Set("fieldSelector", "metadata.name="+name)
	}
	for {
		got, err := c.JSON(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return nil, err
		}
		for _, o := range List(got, "items") {
			o["apiVersion"], o["kind"] = r.APIVersion, r.Kind // items of a list do not say it
			out = append(out, o)
		}
		next := Text(got, "metadata", "continue")
		if next == "" {
			return out, nil
		}
		query.Set("continue", next)
	}
}

// Apply writes an object's fields by server-side apply, and takes them from whoever
// had them; a dry run changes nothing. It gives the object as it is then.
func (c *Client) Apply(ctx context.Context, o Object, dryRun bool) (Object, error) {
	path, err := c.Path(ctx, RefOf(o))
	if err != nil {
		return nil, err
	}
	query := "?force=true&fieldManager=" + Manager + "&fieldValidation=Strict"
	if dryRun {
		query += "&dryRun=All"
	}
	body, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	text, err := c.Raw(ctx, http.MethodPatch, path+query, "application/apply-patch+yaml", body)
	if err != nil {
		return nil, err
	}
	var out Object
	return out, json.Unmarshal(text, &out)
}

// Merge changes fields of an object; null takes one away.
func (c *Client) Merge(ctx context.Context, r Ref, fields Object) (Object, error) {
	path, err := c.Path(ctx, r)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	text, err := c.Raw(ctx, http.MethodPatch, path+"?fieldManager="+Manager, "application/merge-patch+json", body)
	if err != nil {
		return nil, err
	}
	var out Object
	return out, json.Unmarshal(text, &out)
}

// Delete deletes an object; what belongs to it the cluster deletes after. One that is not there
// is no error, and false.
func (c *Client) Delete(ctx context.Context, r Ref) (bool, error) {
	path, err := c.Path(ctx, r)
	if err == nil {
		_, err = c.JSON(ctx, http.MethodDelete, path, Object{"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
	}
	if Gone(err) {
		return false, nil
	}
	return err == nil, err
}
