package convert

import (
	"encoding/json"
	"errors"
	"fmt"
)

// review is a ConversionReview of apiextensions.k8s.io/v1.
type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type request struct {
	UID     string   `json:"uid"`
	Desired string   `json:"desiredAPIVersion"`
	Objects []Object `json:"objects"`
}

type response struct {
	UID     string   `json:"uid"`
	Objects []Object `json:"convertedObjects"`
	Result  result   `json:"result"`
}

type result struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Code    int    `json:"code,omitempty"`
}

// Review answers a ConversionReview, in JSON. An error means that it is none. When
// one object cannot be converted the whole answer is a failure that says which, and
// refused is true.
func Review(body []byte) (answer []byte, refused bool, err error) {
	var r review
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, false, fmt.Errorf("convert: %w", err)
	}
	if r.Kind != "ConversionReview" || r.Request == nil {
		return nil, false, errors.New("convert: this is no ConversionReview")
	}
	out := response{UID: r.Request.UID, Objects: []Object{}, Result: result{Status: "Success"}}
	for _, o := range r.Request.Objects {
		converted, err := To(o, r.Request.Desired)
		if err != nil {
			out.Objects, out.Result = []Object{}, result{Status: "Failure", Message: err.Error(), Reason: "Invalid", Code: 422}
			break
		}
		out.Objects = append(out.Objects, converted)
	}
	answer, err = json.Marshal(review{APIVersion: r.APIVersion, Kind: r.Kind, Response: &out})
	return answer, out.Result.Status == "Failure", err
}
