import type { ArgumentsHost } from '@nestjs/common';
import { Catch, HttpException, HttpStatus } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { OrchestrateFlowError } from 'orchestrate-flow';

const STATUS_OF: Readonly<Record<string, HttpStatus>> = {
  OF_INPUT_INVALID: HttpStatus.BAD_REQUEST,
  OF_RUN_UNKNOWN: HttpStatus.NOT_FOUND,
  OF_RUN_ENDED: HttpStatus.CONFLICT,
  OF_RUN_NOT_FAILED: HttpStatus.CONFLICT,
  OF_RUN_NOT_PAUSED: HttpStatus.CONFLICT,
  OF_RUN_UNDONE: HttpStatus.CONFLICT,
  OF_KEY_CONFLICT: HttpStatus.CONFLICT,
};

/** The library's errors carry a stable code and a sentence for people: both go to the caller. */
@Catch(OrchestrateFlowError)
export class WorkflowErrorFilter extends BaseExceptionFilter {
  override catch(error: OrchestrateFlowError, host: ArgumentsHost): void {
    const { code, message } = error;
    const statusCode = STATUS_OF[code];
    // What has no status here is our fault, not the caller's: Nest logs it and answers 500.
    super.catch(statusCode ? new HttpException({ statusCode, code, message }, statusCode) : error, host);
  }
}
