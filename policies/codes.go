package policies

import "github.com/meshc/meshc/compiler/diag"

// The codes of findings about rules themselves.
const (
	CodeSyntax    diag.Code = "MSH0601" // is no Rego
	CodeCompile   diag.Code = "MSH0602" // does not compile
	CodeForbidden diag.Code = "MSH0603" // leaves the sandbox
	CodeMetadata  diag.Code = "MSH0604" // says too little, or wrongly, of itself
	CodeFailed    diag.Code = "MSH0605" // failed while it judged
	CodeLimit     diag.Code = "MSH0606" // took too many steps, too long, too much memory
	CodeCrashed   diag.Code = "MSH0607" // crashed the engine
	CodeResult    diag.Code = "MSH0608" // gave what is no finding
	CodeTooMany   diag.Code = "MSH0609" // found more than is shown
	CodeSetting   diag.Code = "MSH0610" // is set in meshc.yaml to what it does not take
	CodeNoRules   diag.Code = "MSH0611" // the folders that are named hold no rule
)
