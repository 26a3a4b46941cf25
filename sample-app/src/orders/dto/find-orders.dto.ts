import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';

const STATUSES = ['pending', 'running', 'failing', 'cancelling', 'completed', 'failed', 'cancelled'] as const;

export class FindOrdersDto {
  @IsOptional()
  @IsIn(STATUSES)
  status?: (typeof STATUSES)[number];

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(500)
  limit = 50;

  /** Only orders with a number greater than this one: the last of the page before. */
  @IsOptional()
  @IsString()
  after?: string;
}
