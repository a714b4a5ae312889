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

	// Of rule sets in registries.
	CodeUnpinned  diag.Code = "MSH0640" // is named by a tag
	CodeNotAtHand diag.Code = "MSH0641" // was not pulled
	CodeDamaged   diag.Code = "MSH0642" // is not whole
	CodeUntrusted diag.Code = "MSH0643" // is not signed by whom the mesh trusts

	// Of policies that were written for conftest.
	CodeForeignDeny diag.Code = "MSH0650"
	CodeForeignWarn diag.Code = "MSH0651"
	CodeForeign     diag.Code = "MSH0652" // cannot be judged by
)
