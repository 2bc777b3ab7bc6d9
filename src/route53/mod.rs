//! Front door: what the AWS CLI prints, to the model.
